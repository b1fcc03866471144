/**
 * The runbook's feature flags: what each means, and what it is unless somebody switched it. A flag takes effect without a
 * restart, for the operations that begin after it.
 */
export const featureFlags = {
  ENABLE_BEDROCK_SUPPORT_MODE: {
    default: true,
    meaning: 'Support mode may be activated. Off: it is inactive, and activating it is refused.',
  },
  ENABLE_INTELLIGENT_ROUTING: {
    default: true,
    meaning: 'Routing acts on what it measures. Off: the matrix and the operators’ levers alone decide; automatic preferences are ignored, and a fallback starts only after a failure.',
  },
  ENABLE_DIRECT_BEDROCK_FALLBACK: {
    default: true,
    meaning: 'Operations whose route is MCP fall back to direct. Off: they do not, and fail when MCP does.',
  },
  ENABLE_HYBRID_HEALTH_MONITORING: {
    default: true,
    meaning: 'The Health Checker probes actively. Off: health is judged by the traffic alone.',
  },
  ENABLE_PERFORMANCE_OPTIMIZATION: {
    default: true,
    meaning: 'Slow attempts are hedged, and measured proposals may be applied. Off: neither.',
  },
} as const satisfies Record<string, { readonly default: boolean; readonly meaning: string }>

export type FeatureFlag = keyof typeof featureFlags
export const featureFlagNames = Object.keys(featureFlags) as readonly FeatureFlag[]

export function isFeatureFlag(name: string): name is FeatureFlag {
  return Object.hasOwn(featureFlags, name)
}
