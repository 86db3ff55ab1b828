"""Writes ../src/calendar/venues.txt, the table of trading calendars.

Facts come from the Python package exchange_calendars 4.13.2,
Copyright 2018 Quantopian, Inc. and contributors, licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0), and from overrides.txt beside this script.

    pip install exchange_calendars==4.13.2 pandas==2.2.3
    python calendars.py            # writes the table
    python calendars.py --check    # fails if the table is not what would be written

pandas 3 loses special weekmasks (Saturdays of XKRX, Sundays of XTAE), hence the pinned version.
"""

import collections
import datetime
import pathlib
import sys
import warnings

import exchange_calendars
import pandas
from exchange_calendars.calendar_utils import global_calendar_dispatcher

warnings.filterwarnings("ignore")

HERE = pathlib.Path(__file__).parent
TABLE = HERE.parent / "src" / "calendar" / "venues.txt"
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LAST = datetime.date(2031, 12, 31)
# Where the package's facts are good, and asked for, from an earlier or later day than 2000-01-01.
FIRST = {
    "XKRX": (1986, 1, 4),
    "XSES": (1986, 1, 2),
    "XBOM": (1997, 1, 1),
    "XTKS": (1997, 1, 1),
    "XTAE": (2019, 1, 1),
    "AIXK": (2017, 11, 14),
} | dict.fromkeys(
    "24/5 24/7 BVMF CMES IEPA XAMS XASX XBRU XBUD XCSE XDUB XETR XFRA XHEL XHKG XIDX XJSE XLIS XLON XMAD XMIL XNYS"
    " XNZE XOSL XPAR XSTO XSWX XTSE XWAR".split(),
    (1990, 1, 1),
)
# The last year for which the package knows moving holidays, where it does not say so itself.
BOUND = {"XTAE": 2026}

Session = collections.namedtuple("Session", "open close pause")  # minutes of the local day, pause a pair


def main():
    overrides = read_overrides()
    names = sorted(set(exchange_calendars.get_calendar_names(include_aliases=False)) - {"us_futures"})
    sections = [header()] + [section(name, overrides.get(name, [])) for name in names]
    text = "\n".join(sections)
    if "--check" in sys.argv:
        sys.exit(0 if TABLE.read_text() == text else f"{TABLE.name} differs from what would be written")
    TABLE.write_text(text)
    print(f"{len(names)} calendars, {len(text)} bytes")


def header():
    return (
        "# Written by generate/calendars.py from exchange_calendars 4.13.2 (Apache License 2.0, Copyright 2018\n"
        "# Quantopian, Inc. and contributors) and generate/overrides.txt. The form is told in text.rs.\n"
    )


def read_overrides():
    rows = collections.defaultdict(list)
    for line in (HERE / "overrides.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            rows[words[0]].append(words[1:])
    return rows


def section(name, overrides):
    factory = global_calendar_dispatcher._calendar_factories[name]
    first = datetime.date(*FIRST.get(name, (2000, 1, 1)))
    last = LAST
    for bound, pick in ((bound_of(factory.bound_min), max), (bound_of(factory.bound_max), min)):
        if bound and pick is max:
            first = max(first, bound)
        if bound and pick is min:
            last = min(last, bound)
    last = min(last, datetime.date(BOUND.get(name, last.year), 12, 31))
    calendar = exchange_calendars.get_calendar(name, start=str(first), end=str(last))
    zone = str(calendar.tz)
    sessions = local_sessions(calendar, zone)
    extra = []
    for row in overrides:
        if row[0] == "closed":
            for day in days_of(row[1:]):
                sessions.pop(day, None)
        elif row[0] == "special":
            hours = hours_of(row[1])
            for day in days_of(row[2:]):
                sessions[day] = hours
        else:
            extra.append(" ".join(row))
    return "\n".join([f"calendar {name} {zone}", *extra, f"covers {first} {last}", *facts(calendar, sessions, first, last)]) + "\n"


def bound_of(bound):
    try:
        value = bound()
    except NotImplementedError:
        return None
    return value.date() if value is not None else None


def local_sessions(calendar, zone):
    sessions = {}
    for day, row in zip(calendar.schedule.index, calendar.schedule.itertuples(index=False)):
        day = day.date()
        minute = lambda at: minute_of(at, zone, day)
        pause = None if pandas.isna(row.break_start) else (minute(row.break_start), minute(row.break_end))
        sessions[day] = Session(minute(row.open), minute(row.close), pause)
    return sessions


def minute_of(at, zone, day):
    local = at.tz_convert(zone)
    assert local.second == 0, (at, zone)
    return local.hour * 60 + local.minute + (local.date() - day).days * 1440


def hours_of(text):
    start, end = ((int(t[:2]) * 60 + int(t[3:])) for t in text.split("-"))
    return Session(start - 1440 if start >= end else start, end, None)


def days_of(words):
    year = None
    for word in words:
        if len(word) == 4:
            year = word
        else:
            yield datetime.date.fromisoformat(f"{year}-{word}")


def facts(calendar, sessions, first, last):
    """Weekly hours with the days from which they held, then what differs from them."""
    starts = {first}
    for times in (calendar.open_times, calendar.close_times, calendar.break_start_times, calendar.break_end_times):
        for start, _ in times or ():
            if start is not None and first < start.date() <= last:
                starts.add(start.date())
    for _, until, _ in getattr(calendar, "special_weekmasks", None) or ():
        if until is not None and first < until.date() < last:
            starts.add(until.date() + datetime.timedelta(1))
    starts = sorted(starts)
    lines, closed, special = [], [], collections.defaultdict(list)
    before = {}
    for start, end in zip(starts, starts[1:] + [last + datetime.timedelta(1)]):
        week = {}
        for weekday in range(7):
            days = [d for d in span(start, end) if d.weekday() == weekday]
            seen = collections.Counter(sessions[d] for d in days if d in sessions)
            known = before.get(weekday) if not days else None
            week[weekday] = known if not days else (seen.most_common(1)[0][0] if 2 * seen.total() > len(days) else None)
        lines += weekly(start, week, before)
        before = week
        for day in span(start, end):
            hours = sessions.get(day)
            if hours == week[day.weekday()]:
                continue
            (closed if hours is None else special[hours]).append(day)
    lines += [f"closed {year} {' '.join(days)}" for year, days in by_year(closed)]
    for hours, days in sorted(special.items(), key=lambda item: item[1]):
        dated = " ".join(f"{year} {' '.join(days)}" for year, days in by_year(days))
        lines.append(f"special {shown(hours)} {dated}")
    return lines


def weekly(start, week, before):
    runs = []
    for weekday in range(7):
        hours = week[weekday]
        if before and before[weekday] == hours or not before and hours is None:
            continue
        if runs and runs[-1][1] == weekday - 1 and runs[-1][2] == hours:
            runs[-1][1] = weekday
        else:
            runs.append([weekday, weekday, hours])
    for a, b, hours in runs:
        days = DAYS[a] if a == b else f"{DAYS[a]}-{DAYS[b]}"
        yield f"hours {start} {days} {shown(hours) if hours else 'closed'}"


def shown(hours):
    time = lambda minute: f"{minute // 60:02}:{minute % 60:02}"
    assert hours.close <= 1440 and (hours.open >= 0 or hours.open + 1440 >= hours.close), hours
    text = f"{time(hours.open % 1440)}-{time(hours.close)}"
    return text + (f" break {time(hours.pause[0])}-{time(hours.pause[1])}" if hours.pause else "")


def by_year(days):
    years = collections.defaultdict(list)
    for day in sorted(days):
        years[day.year].append(f"{day:%m-%d}")
    return years.items()


def span(start, end):
    return (start + datetime.timedelta(n) for n in range((end - start).days))


if __name__ == "__main__":
    main()
