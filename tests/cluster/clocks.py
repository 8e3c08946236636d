"""Wall clocks of our own, by libfaketime: they can be set while a process runs. Its monotonic and boot clocks
stay the machine's."""

import pathlib

LIBRARY = "faketime/libfaketimeMT.so.1"
HOUR = 3_600


class WallClock:
    def __init__(self, path, ahead=0):
        libraries = sorted(pathlib.Path("/usr/lib").glob(f"*/{LIBRARY}"))
        if not libraries:
            raise SystemExit("libfaketime is missing: install faketime")
        self.path, self.library = path, libraries[0]
        self.set(ahead)

    def set(self, ahead):
        """From now on it is so many seconds ahead of the machine's."""
        self.ahead = ahead
        new = self.path.with_suffix(".new")
        new.write_text(f"{ahead:+d}")
        new.rename(self.path)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "FAKETIME_TIMESTAMP_FILE": str(self.path), "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}

    def assert_shows(self, seconds, now):
        """`seconds` since 1970 is what it shows, give or take a minute, where the machine's shows `now`."""
        assert abs(seconds - now - self.ahead) < 60, f"the clock is {seconds - now:.0f} s ahead, not {self.ahead}"
