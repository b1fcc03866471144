/**
 * An Alert Manager in a process of its own, for the tests that kill one: on a SQLite file, with the system clock, a short
 * tick and a webhook. `node alert-process.ts FILE WEBHOOK LEVEL`: LEVEL is the health of the MCP Router that it reads.
 */
import { createEventStream } from '../../runtime/event-stream.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { createSystemClock } from '../../runtime/clock.ts'
import { createIds } from '../../runtime/ids.ts'
import { createSystemRandom } from '../../runtime/random.ts'
import { openSqliteStore } from '../../store/adapters/sqlite-store.ts'
import { createHttpPost } from '../adapters/http-post.ts'
import { createWebhookNotifier } from '../adapters/webhook.ts'
import { createAlertManager } from '../alert-manager.ts'
import type { HealthLevel } from '../readings.ts'
import { runbookSettings } from '../settings.ts'

const [path = '', url = '', level = 'critical'] = process.argv.slice(2)
const clock = createSystemClock()
const store = await openSqliteStore({ path, durability: 'process', clock })
const manager = createAlertManager({
  clock,
  ids: createIds(clock),
  random: createSystemRandom(),
  store: store.state,
  instanceId: 'the-same-host',
  settings: { ...runbookSettings, tickMs: 50, rules: runbookSettings.rules.map((rule) => ({ ...rule, forMs: 100, clearMs: 100 })) },
  readings: () => ({
    systemHealth: 'healthy',
    components: { 'mcp-router': { level: level as HealthLevel, message: null } },
    errorRate: null,
    routingEfficiency: null,
    fallbackRate: null,
    latency: [],
    queue: null,
    budgetUsed: null,
    healthCheckSuccessRate: null,
    cacheHitRate: null,
    configurationRejected: null,
  }),
  notifiers: [createWebhookNotifier({ name: 'webhook-1', leastPriority: 'P3', url, secret: null }, createHttpPost(() => clock.nowMs()), () => clock.nowMs())],
  heartbeat: null,
  actions: { preferRoute: (route) => void process.stdout.write(`prefer ${route}\n`) },
  events: createEventStream<SystemEvent>(() => {}),
})
await manager.start()
process.stdout.write('started\n')
