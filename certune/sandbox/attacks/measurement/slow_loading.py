"""No end of loading.

Tries: never comes to the point where it could be called.
With: answer_seconds 2
Stopped as: died
"""

import os

os.write(2, b"tried\n")
while True:
    pass
