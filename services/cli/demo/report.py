def write_demo_report(folder, summary):
    pass
