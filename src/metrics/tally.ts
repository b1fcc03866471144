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
import { matchesSeries, parseSeriesKey, seriesKey, type Labels } from './series-keys.ts'

/** Series per tally: 7 operations by 2 routes by a few outcomes by a dozen targets stay far below. */
const mostSeries = 2_000
const overflowKey = 'overflow'

interface Counter {
  value: number
}

export class Tally {
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, ExponentialHistogram>()

  get isEmpty(): boolean {
    return this.#counters.size === 0 && this.#histograms.size === 0
  }

  count(name: string, labels: Labels, by: number = 1): void {
    this.countKey(seriesKey(name, labels), by)
  }

  observe(name: string, labels: Labels, value: number): void {
    this.observeKey(seriesKey(name, labels), value)
  }

  /** The same for a key that is already there (`series-keys.ts`). */
  countKey(key: string, by: number = 1): void {
    const counter = this.#counters.get(key)
    if (counter === undefined) this.#newCounter(key).value += by
    else counter.value += by
  }

  observeKey(key: string, value: number): void {
    const histogram = this.#histograms.get(key) ?? this.#newHistogram(key)
    histogram.record(value)
  }

  add(other: Tally): void {
    for (const [key, { value }] of other.#counters) this.countKey(key, value)
    for (const [key, histogram] of other.#histograms) (this.#histograms.get(key) ?? this.#newHistogram(key)).add(histogram)
  }

  /** The sum over every series of the name whose labels include these. */
  sum(name: string, labels: Labels = {}): number {
    let sum = 0
    for (const [key, { value }] of this.#counters) if (matchesSeries(key, name, labels)) sum += value
    return sum
  }

  /** The merged histogram of every series of the name whose labels include these. */
  distribution(name: string, labels: Labels = {}): ExponentialHistogram {
    const merged = new ExponentialHistogram()
    for (const [key, histogram] of this.#histograms) if (matchesSeries(key, name, labels)) merged.add(histogram)
    return merged
  }

  *counters(): Iterable<{ readonly name: string; readonly labels: Labels; readonly value: number }> {
    for (const [key, { value }] of this.#counters) yield { ...parseSeriesKey(key), value }
  }

  *distributions(): Iterable<{ readonly name: string; readonly labels: Labels; readonly histogram: ExponentialHistogram }> {
    for (const [key, histogram] of this.#histograms) yield { ...parseSeriesKey(key), histogram }
  }

  toRecord(): JsonObject {
    return {
      counters: Object.fromEntries([...this.#counters].map(([key, { value }]) => [key, value])),
      histograms: Object.fromEntries([...this.#histograms].map(([key, histogram]) => [key, { ...histogram.toRecord() }])),
    }
  }

  /** Reads what `toRecord` wrote; what is not of its shape is left out, as a record of another version may be. */
  static from(record: JsonValue): Tally {
    const tally = new Tally()
    if (!isObject(record)) return tally
    for (const [key, value] of Object.entries(isObject(record['counters'] ?? null) ? (record['counters'] as JsonObject) : {})) {
      if (typeof value === 'number' && Number.isFinite(value)) tally.countKey(key, value)
    }
    for (const [key, value] of Object.entries(isObject(record['histograms'] ?? null) ? (record['histograms'] as JsonObject) : {})) {
      const histogram = readHistogram(value)
      if (histogram !== undefined) tally.#newHistogram(key).add(histogram)
    }
    return tally
  }

  #newCounter(key: string): Counter {
    const bounded = this.#counters.size < mostSeries ? key : overflowKey
    const counter = this.#counters.get(bounded) ?? { value: 0 }
    this.#counters.set(bounded, counter)
    return counter
  }

  #newHistogram(key: string): ExponentialHistogram {
    const bounded = this.#histograms.size < mostSeries ? key : overflowKey
    const histogram = this.#histograms.get(bounded) ?? new ExponentialHistogram()
    this.#histograms.set(bounded, histogram)
    return histogram
  }
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
