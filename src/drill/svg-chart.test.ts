import { describe, expect, it } from 'vitest'
import { barChart, type ChartOptions } from './svg-chart.ts'

const options: ChartOptions = {
  title: 'Share <in time>',
  unit: '%',
  groups: [{ label: 'hang & wait', bars: [{ series: 'service', value: 50, low: 40, high: 60 }, { series: 'peers', value: 25 }] }],
  least: 0,
  most: 100,
  logarithmic: false,
}

function widths(svg: string): readonly number[] {
  return [...svg.matchAll(/<rect x="170" y="\d+" width="([\d.]+)" height="8"/g)].map((match) => Number(match[1]))
}

describe('a bar chart', () => {
  it('draws bars in proportion to their values', () => {
    expect(widths(barChart(options))).toEqual([300, 150])
  })

  it('draws an interval only where there is one', () => {
    expect(barChart(options).match(/stroke="#000"/g)).toHaveLength(1)
  })

  it('keeps what is out of range within the plot', () => {
    expect(widths(barChart({ ...options, groups: [{ label: 'x', bars: [{ series: 'service', value: 900 }, { series: 'peers', value: -5 }] }] }))).toEqual([600, 1])
  })

  it('gives each factor of ten the same length on a logarithmic axis', () => {
    const bars = [10, 100, 1_000].map((value) => ({ series: 'service', value }))
    expect(widths(barChart({ ...options, least: 1, most: 1_000, logarithmic: true, groups: [{ label: 'x', bars }] }))).toEqual([200, 400, 600])
  })

  it('names round values on a logarithmic axis', () => {
    const svg = barChart({ ...options, least: 100, most: 12_000, logarithmic: true })
    expect([...svg.matchAll(/text-anchor="middle">(\d+)</g)].map((match) => Number(match[1]))).toEqual([100, 200, 500, 1_000, 2_000, 5_000, 10_000])
  })

  it('lets no text become markup', () => {
    const svg = barChart(options)
    expect(svg).toContain('Share &lt;in time&gt;')
    expect(svg).toContain('hang &amp; wait')
    expect(svg).not.toContain('<in time>')
  })
})
