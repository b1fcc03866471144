/**
 * The keys under which a tally keeps its series: a name with label values, written as one text. Building such a text for
 * every event costs more than counting it, so the keys of a series are made once and found again by their label values.
 *
 * Label values are words of closed lists and ids of the configuration and hold no separators. The cache is bounded all the
 * same: beyond the bound a key is built each time, and the tally's own bound decides what becomes of it.
 */
export type Labels = Readonly<Record<string, string>>

const labelSeparator = '\u0001'
const valueSeparator = '\u0002'
/** Keys that one series keeps: 7 operations by 3 routes by 4 endings, or two dozen targets by 12 faults, stay far below. */
const keptKeys = 2_000

export function seriesKey(name: string, labels: Labels): string {
  let key = name
  for (const label in labels) key += labelSeparator + label + valueSeparator + labels[label]
  return key
}

export function parseSeriesKey(key: string): { readonly name: string; readonly labels: Labels } {
  const [name = key, ...pairs] = key.split(labelSeparator)
  return { name, labels: Object.fromEntries(pairs.map((pair) => pair.split(valueSeparator) as [string, string])) }
}

/** Whether the key is of this name and its labels include these. */
export function matchesSeries(key: string, name: string, labels: Labels): boolean {
  if (!key.startsWith(name) || (key.length > name.length && key[name.length] !== labelSeparator)) return false
  const padded = key + labelSeparator
  for (const label in labels) if (!padded.includes(labelSeparator + label + valueSeparator + labels[label] + labelSeparator)) return false
  return true
}

/** The keys of one series with up to three labels, by their values. */
export class SeriesKeys {
  readonly #name: string
  readonly #labels: readonly string[]
  readonly #known = new Map<string, Map<string, Map<string, string>>>()
  #size = 0

  constructor(name: string, ...labels: readonly string[]) {
    this.#name = name
    this.#labels = labels
  }

  key(first: string, second: string = '', third: string = ''): string {
    return this.#known.get(first)?.get(second)?.get(third) ?? this.#make(first, second, third)
  }

  #make(first: string, second: string, third: string): string {
    const values = [first, second, third]
    const key = seriesKey(this.#name, Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? ''])))
    if (this.#size >= keptKeys) return key
    this.#size += 1
    const ofFirst = this.#known.get(first) ?? new Map<string, Map<string, string>>()
    this.#known.set(first, ofFirst)
    const ofSecond = ofFirst.get(second) ?? new Map<string, string>()
    ofFirst.set(second, ofSecond)
    ofSecond.set(third, key)
    return key
  }
}
