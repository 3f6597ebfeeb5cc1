/**
 * Runs `measure` for each variant in each round. Every other round runs backwards, and each pair of rounds begins with
 * another variant, so that none always comes first, or always after the one that heats the machine.
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
  const turn = Math.floor(round / 2) % variants.length
  const turned = [...variants.slice(turn), ...variants.slice(0, turn)]
  return round % 2 === 0 ? turned : turned.reverse()
}
