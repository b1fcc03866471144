/**
 * The components as health, alerts, logs and metrics call them, with the aliases that are accepted in URLs.
 * Source: the operators' runbook, "Components". A component that does not exist yet is no component: it is listed once it is
 * there, by whoever gives it to the Health Checker.
 */
export const componentNames = [
  'hybrid-router',
  'direct-bedrock-client',
  'mcp-router',
  'support-manager',
  'health-checker',
  'metrics-publisher',
  'log-aggregator',
  'alert-manager',
  'message-queue',
  'circuit-breaker',
  'cache-layer',
  'infrastructure-auditor',
  'meta-monitor',
  'implementation-support',
] as const
export type ComponentName = (typeof componentNames)[number]

export const componentAliases: Readonly<Record<string, ComponentName>> = {
  'intelligent-router': 'hybrid-router',
  'direct-bedrock': 'direct-bedrock-client',
  'bedrock-client': 'direct-bedrock-client',
  'bedrock-support': 'support-manager',
  'bedrock-support-manager': 'support-manager',
  'hybrid-monitor': 'health-checker',
  'alert-system': 'alert-manager',
}

/** Null for a name that is none. */
export function canonicalComponent(name: string): ComponentName | null {
  const known = componentNames.find((component) => component === name)
  return known ?? (Object.hasOwn(componentAliases, name) ? (componentAliases[name] ?? null) : null)
}
