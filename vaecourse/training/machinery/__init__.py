"""What a training needs beside what it teaches: arguments, files, processes, compilation, one vector of parameters."""
