/**
 * How long a condition has been there, in ticks. The runbook: "A condition that is there in at least 80 % of the ticks of
 * its time holds." The exact rule:
 *
 * - A tick is one evaluation; ticks have consecutive numbers (`alerts.tickMs`, 5 s by default). At each a condition is
 *   there (`1`), away (`0`) or unknown (`?`). A tick that did not take place (a pause of the process, a restart) is `?`.
 * - The ticks of a rule's time are this one and those of the time before it: a time of n tick lengths has n + 1 ticks.
 * - The condition holds when it is there now, was there at the first of these ticks, and is there in at least 80 % of them.
 *   So an unbroken fault fires when exactly its time has passed since the tick that saw it first, and not before.
 * - It is over when in the ticks of the clearing time it was there at none, is away now, and is away in at least 80 %.
 *
 * Unknown ticks are in the whole and in neither part: they delay both and cause nothing. After a time in which every tick
 * is unknown an alert may end as well (`isSilent`), where its rule says so.
 */
import { alertLimits } from './limits.ts'

export type TickMark = '1' | '0' | '?'

/** The marks of consecutive ticks, the newest last; as text, because it is also stored. */
export interface TickWindow {
  readonly lastTick: number
  readonly marks: string
}

export function markOf(there: boolean | null): TickMark {
  if (there === null) return '?'
  return there ? '1' : '0'
}

/** Ticks after the first one until a time has passed. */
export function ticksOf(durationMs: number, tickMs: number): number {
  return Math.ceil(durationMs / tickMs)
}

/** Adds the mark of a tick. Ticks that were left out are unknown; one that is repeated is replaced. */
export function withMark(window: TickWindow | undefined, tick: number, mark: TickMark, kept: number): TickWindow {
  if (window === undefined || tick - window.lastTick > kept) return { lastTick: tick, marks: mark }
  // A number that goes back is a clock of another process: what it says of the past does not fit.
  if (tick < window.lastTick) return { lastTick: tick, marks: mark }
  const before = tick === window.lastTick ? window.marks.slice(0, -1) : window.marks
  const missed = '?'.repeat(Math.max(0, tick - window.lastTick - 1))
  return { lastTick: tick, marks: `${before}${missed}${mark}`.slice(-kept) }
}

export function holds(window: TickWindow, ticks: number): boolean {
  const marks = lastMarks(window, ticks)
  return marks !== null && marks.startsWith('1') && marks.endsWith('1') && count(marks, '1') >= alertLimits.holdsShare * marks.length
}

export function isOver(window: TickWindow, ticks: number): boolean {
  const marks = lastMarks(window, ticks)
  return marks !== null && marks.endsWith('0') && !marks.includes('1') && count(marks, '0') >= alertLimits.holdsShare * marks.length
}

export function isSilent(window: TickWindow, ticks: number): boolean {
  const marks = lastMarks(window, ticks)
  return marks !== null && count(marks, '?') === marks.length
}

/** Whether the condition was away at the last tick. What is unknown is as it was. */
export function isAwayNow(window: TickWindow): boolean {
  return window.marks.endsWith('0')
}

/** Whether the window says anything that is worth remembering. */
export function isQuiet(window: TickWindow): boolean {
  return !window.marks.includes('1')
}

function lastMarks(window: TickWindow, ticks: number): string | null {
  return window.marks.length <= ticks ? null : window.marks.slice(-(ticks + 1))
}

function count(marks: string, mark: TickMark): number {
  let found = 0
  for (const each of marks) if (each === mark) found += 1
  return found
}
