package firewall

// Counters are what a firewall has done since its start, in packets unless said otherwise.
type Counters struct {
	Passed      uint64
	Dropped     uint64
	Prohibited  uint64 // of the dropped: their senders are told
	Uninspected uint64 // of the dropped: it could not look into them
	Related     uint64 // of the passed: ICMP errors about what was let through

	States  int    // at the moment
	Created uint64 // states
	Expired uint64 // states that nothing used
	Evicted uint64 // states that gave way to others
	Closed  uint64 // states whose ports a new connection took, and those forgotten
}

// Counters are the counters now. States are as they were at the last packet.
func (f *Firewall) Counters() Counters {
	c := f.counters
	if t := f.table; t != nil {
		c.States, c.Created, c.Expired, c.Evicted, c.Closed = len(t.byKey), t.created, t.expired, t.evicted, t.closed
	}
	return c
}

// Hits are how often each rule of the list decided, in words and numbers.
func (f *Firewall) Hits() (all []Hit) {
	for _, r := range f.rules {
		all = append(all, Hit{Rule: r.Rule, Count: r.hits})
	}
	return all
}

// Hit is a rule and how often it decided.
type Hit struct {
	Rule  Rule
	Count uint64
}
