/**
 * Which methods a path answers to, for a 405 that lists them. Built from the routes as they are registered, so that it
 * cannot differ from them. Patterns are compared segment by segment, before percent-decoding.
 */
export interface KnownPaths {
  add(pattern: string, methods: readonly string[]): void
  /** Empty for a path that is not known. */
  methodsOf(path: string): readonly string[]
  readonly all: readonly { readonly pattern: string; readonly methods: readonly string[] }[]
}

export function createKnownPaths(): KnownPaths {
  const routes: { readonly pattern: string; readonly methods: readonly string[]; readonly segments: readonly string[] }[] = []
  return {
    all: routes,
    add(pattern, methods) {
      routes.push({ pattern, methods, segments: pattern.split('/') })
    },
    methodsOf(path) {
      const segments = path.split('/')
      const methods = new Set(routes.filter((route) => fits(route.segments, segments)).flatMap((route) => route.methods))
      return [...methods].sort()
    },
  }
}

function fits(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.at(-1) === '*') return path.length >= pattern.length && pattern.slice(0, -1).every((segment, index) => segmentFits(segment, path[index]))
  return pattern.length === path.length && pattern.every((segment, index) => segmentFits(segment, path[index]))
}

function segmentFits(pattern: string, segment: string | undefined): boolean {
  return pattern.startsWith(':') ? segment !== undefined && segment !== '' : pattern === segment
}
