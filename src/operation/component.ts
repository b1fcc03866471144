/**
 * The components by their canonical names, and the aliases under which operators and URLs may name them (runbook,
 * "Components"). Health, alerts, logs, metrics, levers and audit use these names and no others.
 */
export const components = [
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
export type Component = (typeof components)[number]

const aliases: Readonly<Record<string, Component>> = Object.freeze({
  'intelligent-router': 'hybrid-router',
  'direct-bedrock': 'direct-bedrock-client',
  'bedrock-client': 'direct-bedrock-client',
  'bedrock-support': 'support-manager',
  'bedrock-support-manager': 'support-manager',
  'hybrid-monitor': 'health-checker',
  'alert-system': 'alert-manager',
})

/** Every name that is understood. */
export const componentNames: readonly string[] = Object.freeze([...components, ...Object.keys(aliases)])

/** The canonical name; undefined for a name that nothing has. */
export function componentNamed(name: string): Component | undefined {
  return components.find((component) => component === name) ?? (Object.hasOwn(aliases, name) ? aliases[name] : undefined)
}
