/**
 * Reads fault rules from a YAML or JSON file, for `emulator --faults FILE`.
 */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { FaultConfigurationError, faultRules, type FaultRule } from '../fault-rule.ts'

/** Throws an error whose message names the file and every mistake in it. */
export async function loadFaultFile(path: string): Promise<readonly FaultRule[]> {
  const text = await readFile(path, 'utf8')
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw new FaultConfigurationError([{ path, message: `is neither YAML nor JSON: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}` }])
  }
  try {
    return faultRules(value ?? [])
  } catch (error) {
    if (error instanceof FaultConfigurationError) throw new FaultConfigurationError(error.problems.map((problem) => ({ path: `${path}: ${problem.path}`, message: problem.message })))
    throw error
  }
}
