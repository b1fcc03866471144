/**
 * Whether a region, or the regions to which an inference profile may send a prompt, lie wholly inside what the operators
 * allow. `*` in an allowed region stands for any characters.
 *
 * An inference profile is recognised by the prefix of its id; the prefixes and the regions behind them are AWS's
 * ("Supported Regions and models for inference profiles"). A profile with a prefix that is not in the table, or an
 * application profile, which may be a copy of any other, cannot be placed: it is inside only where everything is.
 */

/** The regions of a geography, each as a pattern that holds all of them. */
const geographies: Readonly<Record<string, string>> = {
  eu: 'eu-*',
  us: 'us-*',
  'us-gov': 'us-gov-*',
  apac: 'ap-*',
  jp: 'ap-northeast-*',
  au: 'ap-southeast-*',
  in: 'ap-south-*',
  ca: 'ca-*',
  global: '*',
}

export function regionAllowed(region: string, allowedRegions: readonly string[]): boolean {
  return allowedRegions.some((pattern) => covers(pattern, region))
}

/** Where a model id can send a prompt beyond the region that is asked: a pattern of regions, or null for nowhere else. */
export function regionsOfModel(modelId: string): string | null {
  const arn = /^arn:[^:]*:bedrock:([^:]*):[^:]*:([^/]*)\/(.*)$/.exec(modelId)
  if (arn === null) return regionsOfProfile(modelId)
  const [, region = '', kind = '', name = ''] = arn
  if (kind === 'application-inference-profile' || kind === 'prompt-router' || kind === 'default-prompt-router') return '*'
  return regionsOfProfile(name) ?? (region === '' ? null : region)
}

export function modelAllowed(modelId: string, allowedRegions: readonly string[]): boolean {
  const regions = regionsOfModel(modelId)
  return regions === null || regionAllowed(regions, allowedRegions)
}

/** `eu.anthropic.claude-…` is a profile, `anthropic.claude-…` a model: a profile's id has a provider after its prefix. */
function regionsOfProfile(id: string): string | null {
  const profile = /^([a-z]{2,6}(?:-gov)?)\.[a-z0-9]+\./.exec(id)
  const prefix = profile?.[1]
  if (prefix === undefined) return null
  return Object.hasOwn(geographies, prefix) ? (geographies[prefix] ?? '*') : unknownGeography(prefix)
}

/** Model ids may hold dots of their own (`amazon.nova.x`); a prefix of two letters is a country or continent. */
function unknownGeography(prefix: string): string | null {
  return prefix.length === 2 ? '*' : null
}

/** A pattern covers another where each `*` of the other meets a `*` of the pattern. */
function covers(pattern: string, regions: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^a-z0-9-]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`).test(regions)
}
