/** The command line of `npm run bench`: what to measure, for how long and how often. */
import { parseArgs } from 'node:util'
import { scenarioNames, type ScenarioName } from './report/figures.ts'
import { subjectNames, type SubjectName } from './subjects/subject.ts'

export interface Options {
  /** Of one measurement of one subject. */
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
  /** Starts of each subject, of which the median is taken. */
  readonly starts: number
  readonly idleSeconds: number
  readonly subjects: readonly SubjectName[]
  readonly scenarios: readonly ScenarioName[]
  readonly out: string | null
}

export const help = `npm run bench -- [options]

Measures this service beside a bare signing proxy and the Portkey gateway, and writes bench/RESULTS.md.

  --seconds N    length of each measurement (default 10)
  --rounds N     interleaved rounds, of which medians are taken (default 3)
  --warm-up N    seconds of load on each subject before the first round (default 15; less makes Portkey look slower)
  --only LIST    subjects and scenarios, separated by commas
                   subjects: ${subjectNames.join(', ')}
                   scenarios: ${scenarioNames.join(', ')}
  --quick        about a minute, for a look while developing: one round, short, no memory; prints only
  --out FILE     write the report there; "-" prints only (default bench/RESULTS.md for a whole run)
`

function bounded(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isFinite(value) || value < 1 || value > most) throw new Error(`--${name}: ${text} is not in [1, ${most}]`)
  return value
}

function chosen(list: string | undefined): { subjects: SubjectName[]; scenarios: ScenarioName[] } {
  const words = (list ?? '').split(',').filter((word) => word !== '')
  const known: readonly string[] = [...subjectNames, ...scenarioNames]
  for (const word of words) if (!known.includes(word)) throw new Error(`--only: ${word} is not one of ${known.join(', ')}`)
  const of = <Name extends string>(names: readonly Name[]): Name[] => {
    const picked = names.filter((name) => words.includes(name))
    return picked.length > 0 ? picked : [...names]
  }
  return { subjects: of(subjectNames), scenarios: of(scenarioNames) }
}

/**
 * Null where only help was asked for. A run that leaves out a part does not replace the results of a whole one unless it
 * is told to. Throws an error that says what is allowed.
 */
export function readOptions(args: readonly string[], resultsFile: string): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      'warm-up': { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const { quick } = values
  const { subjects, scenarios } = chosen(values.only)
  const partial = quick || values.only !== undefined
  const out = values.out ?? (partial ? '-' : resultsFile)
  return {
    seconds: bounded('seconds', values.seconds, quick ? 2 : 10, 600),
    rounds: bounded('rounds', values.rounds, quick ? 1 : 3, 100),
    warmUpSeconds: bounded('warm-up', values['warm-up'], quick ? 3 : 15, 600),
    starts: quick ? 1 : 5,
    idleSeconds: quick ? 2 : 10,
    subjects,
    scenarios: quick && values.only === undefined ? scenarios.filter((name) => name !== 'memory') : scenarios,
    out: out === '-' ? null : out,
  }
}
