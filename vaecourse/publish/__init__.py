"""What is made of the chapters: recorded numbers, executed reports, the classroom copy, the command line."""
