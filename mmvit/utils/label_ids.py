"""The numbers of classes in the files of data sets and test servers."""

# Cityscapes' label ids of the 19 training ids, in their order.
CITYSCAPES_IDS = (
    *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22),
    *(23, 24, 25, 26, 27, 28, 31, 32, 33),
)

# The numbers of Pascal Context's 459 labels, as its labels.txt lists them,
# that are the 59 classes in alphabetical order: aeroplane, bag, ..., wood.
PASCAL_CONTEXT_IDS = (
    *(2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80),
    *(85, 98, 104, 105, 113, 115, 144, 158, 159, 162, 187, 189, 207, 220),
    *(232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355),
    *(360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458),
)
