package policy

// weight is the place of a filter in the search order as a number, of which the larger
// is searched earlier. Windows shows weights in its monitor and publishes no way to
// compute them: this is the order in the package comment, one group of decimal digits
// for each step, and so nothing but a way to read that order off:
//
//	1 033 033 1 2 3
//	│  │   │  │ │ └ action: 3 for the first of Options.Ties, 1 for the last; 3 more beside another policy, of the persistent one
//	│  │   │  │ └ ports that it names
//	│  │   │  └ 1 where it names a protocol
//	│  │   └ the other end, the wider one
//	│  └ the narrower end, or by Specificity the wider: length of the prefix plus one, 0 for any address
//	└ 1 for the filter of a tunnel; 2 more where its policy goes before another one
//
// Of equal weights the one that stands earlier in the policy is searched first.
// Dynamic filters of the default response rule, behind all others, have 0.
func (s *specific) weight() uint64 {
	if s.rule == dynamicRule {
		return 0
	}
	w := uint64(s.tunnels() + 2*s.place)
	w = w*1000 + uint64(s.ends[0].bits()+1)
	w = w*1000 + uint64(s.ends[1].bits()+1)
	w = w*10 + uint64(named(s.written.Proto))
	w = w*10 + uint64(portCount(s.written))
	return w*10 + uint64(s.rank+3*count(s.persistent))
}
