/**
 * A monitoring port with nothing happening, for services under test that are about something else.
 */
import { Tally } from '../../metrics/tally.ts'
import type { Monitoring } from '../monitoring.ts'

export function fixedMonitoring(parts: Partial<Monitoring>): Monitoring {
  return {
    status: () => 'healthy',
    components: () => [],
    window: () => new Tally(),
    totals: () => new Tally(),
    gauges: () => [],
    recorder: () => ({ instance: 'test', others: [], restored: true, storeFailures: 0, failuresInRow: 0, lastError: null, lastWriteAtMs: null, unwritten: 0, leftOut: 0, skippedRounds: 0 }),
    alerts: () => [],
    overrides: () => [],
    budgetUsed: () => null,
    cache: () => null,
    ...parts,
  }
}
