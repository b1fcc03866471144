/**
 * What happened in one stretch of time: counters and histograms by series. A series is a name with label values, such as
 * `operations` of operation `emergency`, route `direct`, status `succeeded`. Tallies add up: slots to a window, instances to
 * a fleet.
 *
 * The number of series is bounded: labels come from closed lists and from the configuration, and beyond the bound a new
 * series is counted under `overflow` instead of growing memory.
 */
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import { ExponentialHistogram } from './exponential-histogram.ts'

export type Labels = Readonly<Record<string, string>>

/** Series per tally: 7 operations by 2 routes by a few outcomes by a dozen targets stay far below. */
const mostSeries = 2_000
const overflowKey = 'overflow'

export class Tally {
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, ExponentialHistogram>()

  count(name: string, labels: Labels, by: number = 1): void {
    const key = this.#bounded(seriesKey(name, labels), this.#counters)
    this.#counters.set(key, (this.#counters.get(key) ?? 0) + by)
  }

  observe(name: string, labels: Labels, value: number): void {
    const key = this.#bounded(seriesKey(name, labels), this.#histograms)
    let histogram = this.#histograms.get(key)
    if (histogram === undefined) {
      histogram = new ExponentialHistogram()
      this.#histograms.set(key, histogram)
    }
    histogram.record(value)
  }

  add(other: Tally): void {
    for (const [key, value] of other.#counters) this.#counters.set(key, (this.#counters.get(key) ?? 0) + value)
    for (const [key, histogram] of other.#histograms) {
      const own = this.#histograms.get(key)
      if (own === undefined) this.#histograms.set(key, ExponentialHistogram.from(histogram.toRecord()))
      else own.add(histogram)
    }
  }

  /** The sum over every series of the name whose labels include these. */
  sum(name: string, labels: Labels = {}): number {
    let sum = 0
    for (const [key, value] of this.#counters) if (matches(key, name, labels)) sum += value
    return sum
  }

  /** The merged histogram of every series of the name whose labels include these. */
  distribution(name: string, labels: Labels = {}): ExponentialHistogram {
    const merged = new ExponentialHistogram()
    for (const [key, histogram] of this.#histograms) if (matches(key, name, labels)) merged.add(histogram)
    return merged
  }

  *counters(): Iterable<{ readonly name: string; readonly labels: Labels; readonly value: number }> {
    for (const [key, value] of this.#counters) yield { ...parseSeriesKey(key), value }
  }

  *distributions(): Iterable<{ readonly name: string; readonly labels: Labels; readonly histogram: ExponentialHistogram }> {
    for (const [key, histogram] of this.#histograms) yield { ...parseSeriesKey(key), histogram }
  }

  toRecord(): JsonObject {
    return {
      counters: Object.fromEntries(this.#counters),
      histograms: Object.fromEntries([...this.#histograms].map(([key, histogram]) => [key, { ...histogram.toRecord() }])),
    }
  }

  /** Reads what `toRecord` wrote; what is not of its shape is left out, as a record of another version may be. */
  static from(record: JsonValue): Tally {
    const tally = new Tally()
    if (!isObject(record)) return tally
    for (const [key, value] of Object.entries(isObject(record['counters'] ?? null) ? (record['counters'] as JsonObject) : {})) {
      if (typeof value === 'number' && Number.isFinite(value)) tally.#counters.set(key, value)
    }
    for (const [key, value] of Object.entries(isObject(record['histograms'] ?? null) ? (record['histograms'] as JsonObject) : {})) {
      const histogram = readHistogram(value)
      if (histogram !== undefined) tally.#histograms.set(key, histogram)
    }
    return tally
  }

  #bounded(key: string, series: ReadonlyMap<string, unknown>): string {
    return series.size < mostSeries || series.has(key) ? key : overflowKey
  }
}

/** Names and label values hold no separators: they are words of closed lists and ids of the configuration. */
const labelSeparator = '\u0001'
const valueSeparator = '\u0002'

function seriesKey(name: string, labels: Labels): string {
  let key = name
  for (const label in labels) key += labelSeparator + label + valueSeparator + labels[label]
  return key
}

function parseSeriesKey(key: string): { readonly name: string; readonly labels: Labels } {
  const [name = key, ...pairs] = key.split(labelSeparator)
  return { name, labels: Object.fromEntries(pairs.map((pair) => pair.split(valueSeparator) as [string, string])) }
}

function matches(key: string, name: string, labels: Labels): boolean {
  if (!key.startsWith(name) || (key.length > name.length && key[name.length] !== labelSeparator)) return false
  const padded = key + labelSeparator
  for (const label in labels) if (!padded.includes(labelSeparator + label + valueSeparator + labels[label] + labelSeparator)) return false
  return true
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readHistogram(value: JsonValue): ExponentialHistogram | undefined {
  if (!isObject(value)) return undefined
  const { count, sum, buckets } = value
  if (typeof count !== 'number' || typeof sum !== 'number' || !Array.isArray(buckets)) return undefined
  const pairs = (buckets as readonly JsonValue[]).flatMap((pair): (readonly [number, number])[] =>
    Array.isArray(pair) && typeof pair[0] === 'number' && typeof pair[1] === 'number' ? [[pair[0], pair[1]]] : [],
  )
  return ExponentialHistogram.from({ count, sum, buckets: pairs })
}
