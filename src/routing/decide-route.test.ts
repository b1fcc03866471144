import { describe, expect, it } from 'vitest'
import type { DecisionReason, RoutingDecision } from '../operation/decision.ts'
import { operationTypes, runbookMatrix, type OperationType, type Route } from '../operation/matrix.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { candidateOf, conditionsOf, routeOf } from './testing/routing-fixtures.ts'
import { noOverrides, type Conditions, type Overrides } from './conditions.ts'
import { decideRoute, planRoute } from './decide-route.ts'
import { notApplied, sharePoint, type Lever } from './overrides.ts'

const nowMs = 1_000
const later = 2_000

function levers(changes: Partial<Overrides>): Conditions {
  return conditionsOf({ overrides: { ...noOverrides, ...changes } })
}

const resting = (id: string, lastFailureMs = 0) => candidateOf(id, { usable: false, unusableReason: 'breaker_open', lastFailureMs })

const worlds: Readonly<Record<string, Conditions>> = {
  'all well': conditionsOf(),
  'no MCP server': conditionsOf({ mcp: routeOf([]) }),
  'no Bedrock target': conditionsOf({ direct: routeOf([]) }),
  'direct rests': conditionsOf({ direct: routeOf([resting('frankfurt', 900), resting('ireland', 500)]) }),
  'MCP rests': conditionsOf({ mcp: routeOf([resting('ops')]) }),
  'both rest': conditionsOf({ direct: routeOf([resting('frankfurt', 900), resting('ireland', 500)]), mcp: routeOf([resting('ops')]) }),
  'direct isolated': levers({ isolated: [{ route: 'direct', untilMs: later }] }),
  'MCP isolated': levers({ isolated: [{ route: 'mcp', untilMs: later }] }),
}

/** The runbook's matrix, row by row, in every world: the chosen route and its reason. */
type Cell = readonly [Route | null, DecisionReason]
const critical: Readonly<Record<string, Cell>> = {
  'all well': ['direct', 'matrix'],
  'no MCP server': ['direct', 'matrix'],
  'no Bedrock target': ['mcp', 'primary_not_configured'],
  'direct rests': ['mcp', 'primary_unavailable'],
  'MCP rests': ['direct', 'matrix'],
  'both rest': ['direct', 'matrix'],
  'direct isolated': ['mcp', 'isolated'],
  'MCP isolated': ['direct', 'matrix'],
}
const standard: Readonly<Record<string, Cell>> = {
  'all well': ['mcp', 'matrix'],
  'no MCP server': ['direct', 'primary_not_configured'],
  'no Bedrock target': ['mcp', 'matrix'],
  'direct rests': ['mcp', 'matrix'],
  'MCP rests': ['direct', 'primary_unavailable'],
  'both rest': ['mcp', 'matrix'],
  'direct isolated': ['mcp', 'matrix'],
  'MCP isolated': ['direct', 'isolated'],
}
const emergency: Readonly<Record<string, Cell>> = {
  'all well': ['direct', 'matrix'],
  'no MCP server': ['direct', 'matrix'],
  'no Bedrock target': [null, 'no_route'],
  'direct rests': ['direct', 'matrix'],
  'MCP rests': ['direct', 'matrix'],
  'both rest': ['direct', 'matrix'],
  'direct isolated': [null, 'no_route'],
  'MCP isolated': ['direct', 'matrix'],
}
const sheet: Readonly<Record<OperationType, { readonly cells: Readonly<Record<string, Cell>>; readonly rationale: string }>> = {
  emergency: { cells: emergency, rationale: 'no fallback: it never leaves the direct route' },
  infrastructure: { cells: critical, rationale: 'direct, fallback MCP' },
  meta_monitor: { cells: critical, rationale: 'direct, fallback MCP' },
  implementation: { cells: critical, rationale: 'direct, fallback MCP' },
  kiro_communication: { cells: standard, rationale: 'MCP, fallback direct' },
  standard_analysis: { cells: standard, rationale: 'MCP, fallback direct' },
  background_task: { cells: standard, rationale: 'MCP, fallback direct' },
}

describe('the matrix in every world', () => {
  for (const type of operationTypes) {
    const { cells, rationale } = sheet[type]
    for (const [name, world] of Object.entries(worlds)) {
      it(`${type}, ${name} (${rationale})`, () => {
        const decision = decideRoute(operationOf(type), runbookMatrix, world, nowMs)
        expect([decision.route, decision.reason]).toEqual(cells[name])
        expect(decision.target === null).toBe(decision.route === null)
      })
    }
  }
})

interface LeverRow {
  readonly rationale: string
  readonly type: OperationType
  readonly overrides: Partial<Overrides>
  readonly expected: Cell
  readonly alternative?: RoutingDecision['alternatives'][number]['reason']
}

const isolatedDirect = { isolated: [{ route: 'direct' as const, untilMs: later }] }
const forceMcp = { force: { route: 'mcp' as const, untilMs: later } }
const forceDirect = { force: { route: 'direct' as const, untilMs: later } }
const preferMcp = { automatic: { prefer: 'mcp' as const, untilMs: later } }
const none = { percentage: { directPercent: 0, untilMs: later } }

const leverSheet: readonly LeverRow[] = [
  { rationale: 'a force sets the route for a row that allows it', type: 'infrastructure', overrides: forceMcp, expected: ['mcp', 'operator_force'], alternative: 'overridden' },
  { rationale: 'a force on the row’s own route leaves the other out as well', type: 'standard_analysis', overrides: forceMcp, expected: ['mcp', 'operator_force'], alternative: 'overridden' },
  { rationale: 'a force to direct reaches the fallback of an MCP row', type: 'background_task', overrides: forceDirect, expected: ['direct', 'operator_force'] },
  { rationale: 'an emergency has one route', type: 'emergency', overrides: forceMcp, expected: ['direct', 'matrix'], alternative: 'not_allowed' },
  { rationale: 'isolation outranks a force', type: 'infrastructure', overrides: { ...forceDirect, ...isolatedDirect }, expected: ['mcp', 'isolated'], alternative: 'isolated' },
  { rationale: 'a force outranks automatic actions', type: 'infrastructure', overrides: { ...forceDirect, ...preferMcp }, expected: ['direct', 'operator_force'] },
  { rationale: 'automatic actions outrank the percentage', type: 'infrastructure', overrides: { automatic: { prefer: 'direct', untilMs: later }, ...none }, expected: ['direct', 'automatic'] },
  { rationale: 'automatic actions choose first, the other stays the fallback', type: 'infrastructure', overrides: preferMcp, expected: ['mcp', 'automatic'], alternative: 'fallback' },
  { rationale: 'automatic actions leave emergencies', type: 'emergency', overrides: preferMcp, expected: ['direct', 'matrix'] },
  { rationale: 'the percentage outranks the matrix', type: 'infrastructure', overrides: none, expected: ['mcp', 'percentage'], alternative: 'fallback' },
  { rationale: 'emergencies are exempt from the percentage', type: 'emergency', overrides: none, expected: ['direct', 'matrix'] },
  { rationale: 'the percentage brings back what goes direct, not MCP rows', type: 'standard_analysis', overrides: none, expected: ['mcp', 'matrix'] },
  { rationale: 'at 100 % the matrix holds', type: 'infrastructure', overrides: { percentage: { directPercent: 100, untilMs: later } }, expected: ['direct', 'matrix'] },
  { rationale: 'a lever ends by itself', type: 'infrastructure', overrides: { force: { route: 'mcp', untilMs: nowMs } }, expected: ['direct', 'matrix'] },
  { rationale: 'isolation ends by itself', type: 'emergency', overrides: { isolated: [{ route: 'direct', untilMs: nowMs }] }, expected: ['direct', 'matrix'] },
]

describe('levers', () => {
  for (const { rationale, type, overrides, expected, alternative } of leverSheet) {
    it(`${rationale} (${type})`, () => {
      const decision = decideRoute(operationOf(type), runbookMatrix, levers(overrides), nowMs)
      expect([decision.route, decision.reason]).toEqual(expected)
      if (alternative !== undefined) expect(decision.alternatives).toEqual([{ route: decision.route === 'direct' ? 'mcp' : 'direct', reason: alternative }])
    })
  }

  const unapplied: readonly (readonly [Lever, readonly OperationType[], string])[] = [
    [{ lever: 'force', route: 'mcp' }, ['emergency'], 'its row allows direct only'],
    [{ lever: 'force', route: 'direct' }, [], 'every row allows direct'],
    [{ lever: 'automatic', prefer: 'mcp' }, ['emergency'], 'as a force'],
    [{ lever: 'percentage', directPercent: 10 }, ['emergency', 'kiro_communication', 'standard_analysis', 'background_task'], 'exempt, or not direct anyway'],
    [{ lever: 'isolation', route: 'mcp' }, ['emergency'], 'it never goes there'],
  ]
  for (const [lever, expected, rationale] of unapplied) {
    it(`${lever.lever} does not apply to ${expected.join(', ') || 'nothing'}: ${rationale}`, () => {
      expect(notApplied(lever, runbookMatrix)).toEqual(expected)
    })
  }

  it('raising the percentage only adds operations, about as many as it says', () => {
    const keys = Array.from({ length: 5_000 }, (_, index) => `cor_${index}`)
    const direct = (percent: number) =>
      new Set(
        keys.filter((correlationId) => {
          const conditions = levers({ percentage: { directPercent: percent, untilMs: later } })
          return decideRoute(operationOf('infrastructure', { correlationId }), runbookMatrix, conditions, nowMs).route === 'direct'
        }),
      )
    const ten = direct(10)
    const fifty = direct(50)
    expect([...ten].every((key) => fifty.has(key))).toBe(true)
    expect(ten.size / keys.length).toBeCloseTo(0.1, 1)
    expect(fifty.size / keys.length).toBeCloseTo(0.5, 1)
  })

  it('the percentage goes by the idempotency key where there is one', () => {
    const key = Array.from({ length: 50 }, (_, index) => `key-${index}`).find((candidate) => sharePoint(candidate) < 10 !== sharePoint('cor_1') < 10) ?? ''
    const conditions = levers({ percentage: { directPercent: 10, untilMs: later } })
    const decision = decideRoute(operationOf('infrastructure', { idempotencyKey: key }), runbookMatrix, conditions, nowMs)
    expect(decision.route).toBe(sharePoint(key) < 10 ? 'direct' : 'mcp')
  })
})

describe('what decides besides', () => {
  const withTools = { converse: { messages: [{ role: 'user' as const, content: [{ text: 'x' }] }], toolConfig: {} } }
  const textOnlyMcp = conditionsOf({ mcp: routeOf(['ops'], { carriesMoreThanText: false }) })

  it('an operation that needs more than text goes where that is carried, and a force does not change it', () => {
    const decision = decideRoute(operationOf('standard_analysis', withTools), runbookMatrix, textOnlyMcp, nowMs)
    expect(decision).toMatchObject({ route: 'direct', reason: 'capability', alternatives: [{ route: 'mcp', reason: 'capability' }] })
    const forced = decideRoute(operationOf('infrastructure', withTools), runbookMatrix, { ...textOnlyMcp, overrides: { ...noOverrides, ...forceMcp } }, nowMs)
    expect(forced).toMatchObject({ route: 'direct', reason: 'matrix' })
  })

  it('a forced route is the only one, a preferred one is not', () => {
    expect(planRoute(operationOf('infrastructure'), runbookMatrix, levers(forceMcp), nowMs).routes).toEqual(['mcp'])
    expect(planRoute(operationOf('infrastructure'), runbookMatrix, levers(preferMcp), nowMs).routes).toEqual(['mcp', 'direct'])
    expect(planRoute(operationOf('emergency'), runbookMatrix, conditionsOf(), nowMs).routes).toEqual(['direct'])
  })

  it('an emergency stays direct whatever a configuration writes into its row', () => {
    const matrix = { ...runbookMatrix, emergency: { ...runbookMatrix.emergency, route: 'mcp' as const, fallback: 'mcp' as const } }
    expect(planRoute(operationOf('emergency'), matrix, conditionsOf(), nowMs)).toMatchObject({ routes: ['direct'], decision: { route: 'direct' } })
  })

  it('targets are tried by health, and the least recently failed one when all rest', () => {
    const first = (...candidates: Parameters<typeof routeOf>[0]) =>
      decideRoute(operationOf('emergency'), runbookMatrix, conditionsOf({ direct: routeOf(candidates) }), nowMs).target
    expect(first('frankfurt', 'ireland')).toBe('frankfurt')
    expect(first(candidateOf('frankfurt', { slow: true }), 'ireland')).toBe('ireland')
    expect(first(candidateOf('frankfurt', { throttledUntilMs: later }), 'ireland')).toBe('ireland')
    expect(first(resting('frankfurt'), candidateOf('ireland', { slow: true }))).toBe('ireland')
    expect(first(resting('frankfurt', 900), resting('ireland', 500))).toBe('ireland')
    expect(first(candidateOf('frankfurt', { throttledUntilMs: 3_000 }), candidateOf('ireland', { throttledUntilMs: later }))).toBe('ireland')
  })
})
