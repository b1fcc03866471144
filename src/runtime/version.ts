/** The version of the program, from its package, so that it is stated once. */
import packageJson from '../../package.json' with { type: 'json' }

export const version: string = packageJson.version
