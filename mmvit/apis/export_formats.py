"""The words of the export's options. Imports nothing, so that tools answer
`--help` at once.
"""

#: Formats, and the endings of their files.
FORMATS = {'torch-export': '.pt2', 'onnx': '.onnx'}
#: What can stay open: the number of images, their height and width.
DYNAMIC = ('batch', 'hw')
