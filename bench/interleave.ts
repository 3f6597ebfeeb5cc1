/**
 * Runs `measure` for each variant in each round, in orders that are balanced for what a variant leaves behind, such as a
 * hot machine: over twice as many rounds as there are variants, each comes first equally often, and equally often right
 * after each other one (a Williams design). The control has no better neighbours than those it vouches for.
 *
 * @returns the samples of each variant, in the order of the rounds
 */
export async function interleave<Sample> (
  variants: readonly string[], rounds: number, measure: (variant: string, round: number) => Promise<Sample>
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(variants.map((variant) => [variant, []]))
  for (let round = 0; round < rounds; round++) {
    for (const variant of orderOf(variants, round)) samples.get(variant)!.push(await measure(variant, round))
  }
  return samples
}

export function orderOf<Variant> (variants: readonly Variant[], round: number): Variant[] {
  const turn = Math.floor(round / 2)
  const order = variants.map((_, index) => {
    // 0, 1, -1, 2, -2 and so on: every distance between neighbours occurs once.
    const place = index % 2 === 1 ? (index + 1) / 2 : variants.length - index / 2
    return variants[(turn + place) % variants.length]!
  })
  return round % 2 === 0 ? order : order.reverse()
}
