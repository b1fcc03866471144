/**
 * What operators must be told of each incident, and why that and nothing else: a sheet. Rules, their times and priorities are
 * the runbook's ("Alert rules"); which alert explains which is the Alert Manager's table of root causes.
 *
 * `withinMs` is the rule's time with what health needs to be sure: three bad observations, or traffic enough for them.
 */
export interface ExpectedAlert {
  readonly rule: string
  readonly component: string
  /** From when something is wrong until it is raised, at most. */
  readonly withinMs: number
}

export interface ExpectedAlerts {
  readonly alerts: readonly ExpectedAlert[]
  /** What is broken, for each of which one notification pages. */
  readonly rootCauses: number
  /** It is what comes in that is the incident, not what breaks. */
  readonly surge: boolean
  /** It is at the border of a rule, so that chance decides between these alerts and none at all. */
  readonly orNone?: true
  readonly why: string
}

const minuteMs = 60_000
const direct = 'direct-bedrock-client'

const nothing = (why: string): ExpectedAlerts => ({ alerts: [], rootCauses: 0, surge: false, why })
const one = (rule: string, component: string, withinMinutes: number, why: string): ExpectedAlerts => ({ alerts: [{ rule, component, withinMs: withinMinutes * minuteMs }], rootCauses: 1, surge: false, why })
const directGone = (why: string): ExpectedAlerts => ({
  alerts: [
    { rule: 'system-down', component: 'hybrid-router', withinMs: 3 * minuteMs },
    { rule: 'direct-bedrock-unavailable', component: direct, withinMs: 4 * minuteMs },
  ],
  rootCauses: 1,
  surge: false,
  why,
})

export const expectedAlerts: Readonly<Record<string, ExpectedAlerts>> = Object.freeze({
  calm: nothing('Nothing is wrong.'),
  'throttle-storm': one('component-degraded', direct, 13, 'Most of what the first region is asked is throttled: it works, but not for all, for longer than ten minutes.'),
  'region-down': one('component-degraded', direct, 12, 'One of two regions is critical, so the direct client is degraded. Requirements are met through the other: nobody is paged for symptoms.'),
  'direct-down': directGone('Emergencies have no other route, so the system is critical after 2 min and the direct client after 3: one incident, whose second alert is an update.'),
  hang: one('component-degraded', direct, 13, 'The first region answers nothing that it is sent. Its operations are helped elsewhere in time, which is what shows it.'),
  slow: { ...one('component-degraded', direct, 18, 'Most of what the first region is sent is answered by the other before it, but it answers, and requirements are met: at the border of what is degraded for ten minutes.'), orNone: true },
  'slow-tail': nothing('One request in twenty is slow, everywhere. Help before a miss is made for that; no rule of the runbook is broken.'),
  'mid-stream-break': one('component-degraded', direct, 18, 'A third of the answers of the first region breaks off, six times what makes a component degraded.'),
  'mcp-crash': one('mcp-router-failure', 'mcp-router', 2, 'The only MCP server is gone: the MCP Router is critical, at once. That operations fall back is explained by it.'),
  'mcp-hang': one('component-degraded', 'mcp-router', 13, 'The MCP server answers pings and no calls: it is overtaken by every help. One that hangs cannot be told from one that is too slow, so it is not critical.'),
  'mcp-slow': one('component-degraded', 'mcp-router', 18, 'Most calls are overtaken by their fallback. The fallback rate above 20 % is explained by it and tells nobody anything new.'),
  'both-degraded': {
    ...one('component-degraded', 'mcp-router', 18, 'A fifth of the MCP server’s answers breaks off, but help is quicker than most of those breaks, so that few are seen in ten minutes: at the border. The regions are slower and throttle half of one: both still answer most of what they are asked.'),
    orNone: true,
  },
  flapping: nothing('The region is down for a third of the time, a minute at a time: never in 80 % of the ticks of ten minutes. Breakers and health follow it, the log has each change.'),
  overload: { ...one('high-error-rate', 'hybrid-router', 8, 'Five times what fits comes in, and most of it is shed: nothing is broken that an alert could name instead.'), surge: true },
  malformed: one('component-degraded', direct, 18, 'Half of what the first region answers is not what the protocol says.'),
  'expired-credentials': directGone('No region accepts the credentials: as bad as if all were gone. The alert’s message says why.'),
})
