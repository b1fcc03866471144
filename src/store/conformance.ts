/**
 * How the two conformance suites register their tests for an engine. An engine may declare exceptions, by the test's name
 * and with the reason; a declared exception is a test that must fail, so that one which has become untrue is noticed, and
 * one that names no test fails too.
 */
import { expect, test } from 'vitest'

/** Test name to reason. */
export type ConformanceExceptions = Readonly<Record<string, string>>

export type RegisterTest = (name: string, run: () => Promise<void>, timeoutMs?: number) => void

/** Registers what `declare` declares, minding the exceptions. */
export function registerConformance(exceptions: ConformanceExceptions, declare: (conforms: RegisterTest) => void): void {
  const known = new Set<string>()
  declare((name, run, timeoutMs) => {
    known.add(name)
    const reason = exceptions[name]
    if (reason === undefined) test(name, run, timeoutMs)
    else test.fails(`${name} (exception: ${reason})`, run, timeoutMs)
  })
  test('every declared exception names a test of the suite', () => {
    expect(Object.keys(exceptions).filter((name) => !known.has(name))).toEqual([])
  })
}
