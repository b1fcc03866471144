/**
 * References to environment variables in texts of the configuration: `${NAME}` and `${NAME:-default}`, and `$${` for a
 * literal `${`. The default also stands in for an empty variable, as in a shell.
 *
 * It decides what a text stands for; it must not know where variables come from (a lookup is handed in) nor which member
 * the text belongs to. The rule is the public contract, part 2.
 */

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

export type Expansion =
  /** No reference in it. */
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'expanded'
      readonly text: string
      readonly variables: readonly string[]
      /** The text is one reference and nothing else. */
      readonly whole: boolean
    }
  | { readonly kind: 'unset'; readonly variables: readonly string[] }
  /** Something begins like a reference and is none. */
  | { readonly kind: 'malformed' }

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g

export function expand(text: string, environment: Environment): Expansion {
  if (!text.includes('${')) return { kind: 'literal', text }
  const variables: string[] = []
  const unset: string[] = []
  let malformed = false
  let whole = false
  const expanded = text.replace(reference, (match: string, name: string | undefined, fallback: string | undefined) => {
    if (match === '$${') return '${'
    if (name === undefined) {
      malformed = true
      return ''
    }
    whole = match === text
    variables.push(name)
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined
    if (fallback !== undefined && (value === undefined || value === '')) return fallback
    if (value === undefined) unset.push(name)
    return value ?? ''
  })
  if (malformed) return { kind: 'malformed' }
  if (unset.length > 0) return { kind: 'unset', variables: unset }
  return variables.length === 0 ? { kind: 'literal', text: expanded } : { kind: 'expanded', text: expanded, variables, whole }
}
