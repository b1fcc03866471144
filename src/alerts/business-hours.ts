/**
 * When the next business day ends: the response time of P3 (runbook, "Alert rules"). Days and hours are those of a time
 * zone, so the offset of that zone at that instant counts, also across a change of the clocks.
 *
 * Holidays are not known. The calendar arithmetic is that of the proleptic Gregorian calendar (days since 1970-01-01,
 * Howard Hinnant, "chrono-compatible low-level date algorithms"); the zone's rules are those of the runtime's `Intl`.
 */
export interface BusinessHours {
  readonly timeZone: string
  /** 1 is Monday, 7 is Sunday (ISO 8601). */
  readonly days: readonly number[]
  /** Minutes after midnight at which a business day ends. */
  readonly endMinutes: number
}

const minuteMs = 60_000
const dayMs = 86_400_000

export function endOfNextBusinessDay(nowMs: number, hours: BusinessHours): number {
  // Making one costs a tenth of a millisecond, so one serves the whole call.
  const face = clockFace(hours.timeZone)
  const today = Math.floor(localMs(nowMs, face) / dayMs)
  for (let ahead = 1; ahead <= 7; ahead += 1) {
    if (hours.days.includes(isoWeekday(today + ahead))) return instantOf(today + ahead, hours.endMinutes, face)
  }
  // Without a business day there is no such end: a week is the longest that anything waits.
  return instantOf(today + 7, hours.endMinutes, face)
}

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    // Intl says that a zone is unknown by a RangeError.
    return false
  }
}

/** 1970-01-01 was a Thursday. */
function isoWeekday(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1
}

function instantOf(day: number, minutes: number, face: Intl.DateTimeFormat): number {
  const wantedMs = day * dayMs + minutes * minuteMs
  // The offset is looked up at a guess, and once more at what follows from it: enough unless two changes are hours apart.
  const guessMs = wantedMs - (localMs(wantedMs, face) - wantedMs)
  return wantedMs - (localMs(guessMs, face) - guessMs)
}

function clockFace(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
}

/** The instant at which the zone's clock face would be read as UTC. */
function localMs(atMs: number, face: Intl.DateTimeFormat): number {
  const wholeMs = Math.floor(atMs / 1_000) * 1_000
  const parts = face.formatToParts(wholeMs)
  const part = (type: string): number => Number(parts.find((each) => each.type === type)?.value ?? 0)
  const seconds = part('hour') * 3_600 + part('minute') * 60 + part('second')
  return daysFromCivil(part('year'), part('month'), part('day')) * dayMs + seconds * 1_000 + (atMs - wholeMs)
}

function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
