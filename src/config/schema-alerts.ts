/**
 * The configuration of the Alert Manager: who is told, by which rules, in which chain. Part of the one schema (`schema.ts`).
 *
 * The defaults are the runbook's rule table and escalation chain, stated once beside the code that decides
 * (`alerts/rules.ts`, `alerts/escalation.ts`): any member of any rule can be overridden, a rule can be switched off, and
 * rules can be added. A condition names a reading and its bound; which bound fits which reading is in `check-config.ts`.
 */
import { severityOf, alertSeverities } from '../operation/alert-facts.ts'
import { routes } from '../operation/matrix.ts'
import { runbookEscalation } from '../alerts/escalation.ts'
import { healthRanks } from '../alerts/readings.ts'
import { figureReadings, levelReadings, ruleRoles, runbookRules, type AlertRule } from '../alerts/rules.ts'
import { defaultTickMs, runbookSettings } from '../alerts/settings.ts'
import { runbookStorm } from '../alerts/storm.ts'
import { choice, flag, group, list, oneOf, orNull, real, section, tag, text, whole } from './fields.ts'
import { cloudEndpoint, idNames, urlText } from './schema-direct.ts'

/** ms. A week: what takes longer to notice is not an alert. */
const longestTimeMs = 604_800_000
const minutesOfDay = 1_440

const secretUrl = (description: string) => text({ ...urlText, description, secret: true, reload: 'restart' })
const secretKey = (description: string) => text({ description, maxLength: 1_024, pattern: '^[\\x21-\\x7e]+$', form: 'visible ASCII without spaces', secret: true, reload: 'restart' })
const signingSecret = orNull(secretKey(''), { description: 'Signs every request (HMAC-SHA256 with a timestamp, docs/alerts.md); `null`: no signature.', default: null, reload: 'restart' })
const leastSeverity = choice(alertSeverities, { description: 'The least severe alerts that it is told; a pager may want `critical` only.', default: 'low', reload: 'restart' })

const receiver = oneOf(
  [
    group(
      {
        type: tag('sns', 'Amazon SNS.'),
        topicArn: text({ description: 'The topic.', pattern: '^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$', form: 'the ARN of an SNS topic', reload: 'restart' }),
        endpoint: cloudEndpoint('Another address; `null`: the region’s own.'),
        leastSeverity,
      },
      { description: 'An SNS topic.', reload: 'restart' },
    ),
    group(
      {
        type: tag('pagerduty', 'PagerDuty, Events API v2.'),
        routingKey: secretKey('The integration key of the service.'),
        endpoint: cloudEndpoint('The whole address of the Events API; `null`: PagerDuty’s own.'),
        leastSeverity,
      },
      { description: 'A PagerDuty service.', reload: 'restart' },
    ),
    group({ type: tag('slack', 'A Slack incoming webhook.'), url: secretUrl('Its address, which is a secret by itself.'), leastSeverity }, { description: 'A Slack channel.', reload: 'restart' }),
    group(
      {
        type: tag('alertmanager', 'Prometheus Alertmanager, API v2.'),
        url: secretUrl('Its address, without the path of the API.'),
        repeatMs: whole({ description: 'Firing alerts are sent again this often, because Alertmanager forgets.', unit: 'ms', minimum: 100, maximum: 3_600_000, default: 60_000, reload: 'restart' }),
        leastSeverity,
      },
      { description: 'An Alertmanager.', reload: 'restart' },
    ),
    group({ type: tag('webhook', 'A POST of JSON to an address.'), url: secretUrl('The address. Often a secret by itself.'), secret: signingSecret, leastSeverity }, { description: 'A webhook.', reload: 'restart' }),
    group({ type: tag('log', 'A line of the log.'), leastSeverity }, { description: 'The log.', reload: 'restart' }),
  ],
  { description: 'Who is told.', reload: 'restart' },
)

const time = (description: string, preset: number) => whole({ description, unit: 'ms', minimum: 0, maximum: longestTimeMs, default: preset, reload: 'live' })
const line = (description: string, preset: string) => text({ description, minLength: 0, maxLength: 500, default: preset, reload: 'live' })

const bound = (description: string, preset: number | null) =>
  orNull(real({ description: '', unit: 'share (0 to 1), ratio or count', minimum: 0, maximum: 1_000_000, reload: 'live' }), { description, default: preset, reload: 'live' })

const conditionOf = (rule: AlertRule) => {
  const { condition } = rule
  return section('When it is there: a reading, and exactly one of `above`, `below` (figures) and `atLeast` (health).', {
    reading: choice([...figureReadings, ...levelReadings], { description: 'What is looked at.', default: condition.reading, reload: 'live' }),
    above: bound('There while the figure is above; `null`: another bound holds.', 'above' in condition ? condition.above : null),
    below: bound('There while the figure is below; `null`: another bound holds.', 'below' in condition ? condition.below : null),
    atLeast: orNull(choice(healthRanks, { description: '', reload: 'live' }), {
      description: 'There while health is as bad as this or worse; `null`: another bound holds.',
      default: 'atLeast' in condition ? condition.atLeast : null,
      reload: 'live',
    }),
  })
}

const ruleMembers = (rule: AlertRule) => ({
  enabled: flag({ description: 'Whether the rule is looked at.', default: true, reload: 'live' }),
  condition: conditionOf(rule),
  forMs: time('How long the condition must be there, in at least 80 % of the ticks; 0: one tick.', rule.forMs),
  clearMs: time('How long it must be away before the alert resolves by itself.', rule.clearMs),
  silenceClearsMs: orNull(whole({ description: '', unit: 'ms', minimum: 0, maximum: longestTimeMs, reload: 'live' }), {
    description: 'How long nothing may be known before the alert resolves; `null`: never.',
    default: rule.silenceClearsMs,
    reload: 'live',
  }),
  severity: choice(alertSeverities, { description: '`critical` is P0, `high` P1, `medium` P2, `low` P3.', default: severityOf(rule.priority), reload: 'live' }),
  component: orNull(text({ ...idNames, description: '', reload: 'live' }), { description: 'The component; `null`: each that the reading has.', default: rule.component, reload: 'live' }),
  role: choice(ruleRoles, { description: 'How it relates to others: a `symptom` is held back while its `cause` fires.', default: rule.role, reload: 'live' }),
  action: line('What whoever is told should do.', rule.action),
  prefer: orNull(choice(routes, { description: '', reload: 'live' }), { description: 'The route that is preferred while the alert lasts; `null`: none.', default: rule.prefer, reload: 'live' }),
  runbook: line('Where the procedure is described.', rule.runbook),
})

/** What an added rule has where it says nothing. */
const plainRule: AlertRule = {
  name: '',
  priority: 'P2',
  condition: { reading: 'error_rate', above: 1 },
  forMs: 300_000,
  clearMs: 120_000,
  silenceClearsMs: 900_000,
  component: null,
  role: 'independent',
  action: '',
  prefer: null,
  runbook: '',
}

const rulesByName = Object.fromEntries(runbookRules.map((rule) => [rule.name, section(`The rule \`${rule.name}\`.`, ruleMembers(rule))]))

const level = group(
  {
    name: text({ description: 'Who it is, as receivers read it.', maxLength: 100, reload: 'live' }),
    afterMs: whole({ description: 'When the level is reached, from when the alert was told; 0 for the first.', unit: 'ms', minimum: 0, maximum: longestTimeMs, reload: 'live' }),
    severities: list(choice(alertSeverities, { description: 'A severity.', reload: 'live' }), { description: 'The alerts that go up to it.', default: [...alertSeverities], minItems: 1, maxItems: 4, reload: 'live' }),
  },
  { description: 'A level of the chain.', reload: 'live' },
)

const respondWithin = (description: string, preset: number | null) =>
  orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: longestTimeMs, reload: 'live' }), { description, default: preset, reload: 'live' })

const { respondWithinMs, businessHours } = runbookEscalation

export const alertsSchema = section('Alerts.', {
  notify: list(receiver, { description: 'Where notifications go.', default: [], maxItems: 32, reload: 'restart' }),
  deployment: text({ ...idNames, description: 'Whose alerts these are: part of every `dedupKey`. Installations that share a receiver need different ones.', default: runbookSettings.deployment, reload: 'restart' }),
  tickMs: whole({ description: 'Between two evaluations of the rules.', unit: 'ms', minimum: 50, maximum: 60_000, default: defaultTickMs, reload: 'restart' }),
  selfTestIntervalMs: whole({
    description: 'Between two self-tests of a receiver, which cost nothing and page nobody: a connection with its certificate checked; for SNS the topic’s attributes, for Alertmanager whether it is ready. A tenth of it while a change of its health is in question.',
    unit: 'ms',
    minimum: 1_000,
    maximum: 86_400_000,
    default: 300_000,
    reload: 'live',
  }),
  heartbeat: orNull(
    group(
      {
        url: secretUrl('The address of a dead man’s switch, which raises the alarm when it is not called.'),
        intervalMs: whole({ description: 'Between two calls.', unit: 'ms', minimum: 100, maximum: 3_600_000, default: 60_000, reload: 'restart' }),
        secret: signingSecret,
      },
      { description: '', reload: 'restart' },
    ),
    { description: 'A sign of life after evaluations; `null`: none.', default: null, reload: 'restart' },
  ),
  rules: section('The runbook’s rules. What is absent is the runbook’s.', rulesByName),
  additionalRules: list(
    group({ name: text({ ...idNames, description: 'Its name; not one of the runbook’s.', reload: 'live' }), ...ruleMembers(plainRule) }, { description: 'A rule.', reload: 'live' }),
    { description: 'Rules of your own.', default: [], maxItems: 100, reload: 'live' },
  ),
  escalation: section('Who is told when nobody acknowledges.', {
    chain: list(level, {
      description: 'In order; the first is told when an alert is raised.',
      default: runbookEscalation.chain.map(({ name, afterMs, priorities }) => ({ name, afterMs, severities: priorities.map(severityOf) })),
      minItems: 1,
      maxItems: 16,
      reload: 'live',
    }),
    respondWithinMs: section('How long an alert may wait to be acknowledged before it goes up the first time.', {
      critical: respondWithin('P0.', respondWithinMs.P0),
      high: respondWithin('P1.', respondWithinMs.P1),
      medium: respondWithin('P2.', respondWithinMs.P2),
      low: respondWithin('P3; `null`: until the end of the next business day.', respondWithinMs.P3),
    }),
    businessHours: section('What a business day is.', {
      timeZone: text({ description: 'The time zone, such as Europe/Zurich.', maxLength: 64, default: businessHours.timeZone, reload: 'live' }),
      days: list(whole({ description: 'A day of the week.', unit: '1 (Monday) to 7', minimum: 1, maximum: 7, reload: 'live' }), {
        description: 'The days; 1 is Monday.',
        default: [...businessHours.days],
        minItems: 1,
        maxItems: 7,
        reload: 'live',
      }),
      endMinutes: whole({ description: 'When it ends.', unit: 'minutes after midnight', minimum: 1, maximum: minutesOfDay, default: businessHours.endMinutes, reload: 'live' }),
    }),
  }),
  storm: section('When alerts are told as one.', {
    moreThan: whole({ description: 'This many are still told one by one.', unit: 'alerts', minimum: 1, maximum: 1_000, default: runbookStorm.moreThan, reload: 'live' }),
    withinMs: whole({ description: 'In this time.', unit: 'ms', minimum: 100, maximum: 86_400_000, default: runbookStorm.withinMs, reload: 'live' }),
  }),
})
