import { describe, expect, test } from 'vitest'
import { gauge, Metrics } from './metrics.js'

describe('metrics', () => {
  test('a counter tells its series in the Prometheus text format', () => {
    const metrics = new Metrics()
    const requests = metrics.counter('requests_total', 'Requests.', ['provider', 'status'])
    requests.add('openai', '200')
    requests.add('openai', '200')
    requests.add('gemini', '429')
    expect(metrics.render()).toBe(
      [
        '# HELP requests_total Requests.',
        '# TYPE requests_total counter',
        'requests_total{provider="openai",status="200"} 2',
        'requests_total{provider="gemini",status="429"} 1',
        '',
      ].join('\n'),
    )
  })

  test('label values cannot break out of their quotes or lines', () => {
    const metrics = new Metrics()
    metrics.counter('c', 'C.', ['profile']).add('a"b\\c\nd 1')
    expect(metrics.render().split('\n')[2]).toBe('c{profile="a\\"b\\\\c\\nd 1"} 1')
  })

  test('a histogram counts cumulatively, its bounds included', () => {
    const metrics = new Metrics()
    const seconds = metrics.histogram('s', 'S.', [], [0.1, 1])
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value)
    expect(metrics.render()).toContain(
      ['s_bucket{le="0.1"} 2', 's_bucket{le="1"} 3', 's_bucket{le="+Inf"} 4', 's_sum 7.65', 's_count 4'].join(
        '\n',
      ),
    )
  })

  test('the number of series is bounded, and nothing goes uncounted', () => {
    const metrics = new Metrics()
    const counter = metrics.counter('c', 'C.', ['profile'])
    for (let index = 0; index < 5_000; index += 1) counter.add(`profile-${index}`)
    const lines = metrics
      .render()
      .split('\n')
      .filter((line) => line.startsWith('c{'))
    expect(lines).toHaveLength(2_001)
    expect(lines.at(-1)).toBe('c{profile="other"} 3000')
  })

  test('a gauge shows what it is given', () => {
    expect(gauge('up', 'Up.', ['state'], [[['cooling'], 3]])).toContain('up{state="cooling"} 3\n')
  })
})
