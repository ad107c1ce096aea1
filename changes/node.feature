A node: ``twistd edge`` publishes a folder of files into shared memory and serves it.
