/**
 * The operators' parts for tests of the HTTP layer: the real levers, audit trail and operations log on the memory store, and
 * two alerts of which one fires.
 */
import { createAuditTrail } from '../../audit/audit-trail.ts'
import { createSeal } from '../../audit/adapters/seal.ts'
import { createOperationsLog } from '../../audit/operations-log.ts'
import type { Config } from '../../config/schema.ts'
import { createLevers } from '../../levers/levers.ts'
import { recordingPorts } from '../../levers/testing/lever-bench.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { EventStream } from '../../runtime/event-stream.ts'
import type { Ids } from '../../runtime/ids.ts'
import type { StateStore } from '../../store/state-store.ts'
import type { AdminParts } from '../admin.ts'
import type { AlertPort } from '../admin-alerts.ts'

export interface TestAdmin extends AdminParts {
  readonly asked: string[]
  stop(): Promise<void>
}

export async function startTestAdmin(parts: { readonly state: StateStore; readonly clock: Clock; readonly ids: Ids; readonly events: EventStream<SystemEvent>; readonly config: Config; readonly onInternalError: (error: unknown) => void }): Promise<TestAdmin> {
  const audit = createAuditTrail({ ...parts, seal: createSeal('the key of the tests, long enough'), retentionMs: () => 86_400_000 })
  const asked: string[] = []
  const levers = createLevers({ ...parts, shared: false, audit, config: () => parts.config, ports: recordingPorts(asked, []) })
  await levers.start()
  return {
    levers,
    audit,
    operationsLog: createOperationsLog({ ...parts, audit }),
    alerts: fixedAlerts(),
    asked,
    async stop() {
      await levers.close()
      await audit.close()
    },
  }
}

function fixedAlerts(): AlertPort {
  const alerts = new Map([
    ['alrt_1', { id: 'alrt_1', component: 'mcp-router', status: 'firing' }],
    ['alrt_2', { id: 'alrt_2', component: 'hybrid-router', status: 'resolved' }],
  ])
  const become = (id: string, status: string): ReturnType<AlertPort['resolve']> => {
    const alert = alerts.get(id)
    if (alert === undefined || alert.status === 'resolved') return Promise.resolve({ changed: [], notApplied: [{ what: id, why: 'it is resolved already' }] })
    alerts.set(id, { ...alert, status })
    return Promise.resolve({ changed: [id], notApplied: [] })
  }
  return {
    list: ({ statuses = ['firing', 'acknowledged'], component }) => [...alerts.values()].filter((alert) => statuses.some((status) => status === alert.status) && (component === undefined || component === alert.component)),
    get: (id) => alerts.get(id),
    acknowledge: (id) => become(id, 'acknowledged'),
    resolve: (id) => become(id, 'resolved'),
  }
}
