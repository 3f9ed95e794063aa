package nat

// Result is what becomes of a packet.
type Result struct {
	// Packets go on, translated. There are several when fragments were held, and none while one is.
	Packets [][]byte
	// Why the packet ended here. "" when it goes on, or is held.
	Why string
	// Answer is a packet of the box's own to the sender: an ICMP error or a TCP RST.
	Answer []byte
	// Own: the packet belongs to no mapping, and came to an address of the box. A box that
	// has no use for it drops it, for the reason Why. Packets are earlier fragments of the
	// same datagram that were held, as they came.
	Own bool
}

// pass is the result of a packet that goes on alone.
func (t *Table) pass(p ipv4) Result {
	t.one[0] = p
	return Result{Packets: t.one[:]}
}

// drop is the result of a packet that ends here.
func (t *Table) drop(why reason) Result {
	t.counters.Dropped[why]++
	return Result{Why: why.String()}
}

// Counters count since New. They outlive Reboot.
type Counters struct {
	Outbound, Inbound, Hairpinned uint64 // packets translated
	Held                          uint64 // fragments held
	Own                           uint64 // packets for the box itself
	Answers                       uint64 // packets of the box's own
	Made, Expired, Evicted        uint64 // mappings
	Refused                       uint64 // mappings that were not made
	Dropped                       [reasons]uint64
}

// Counters is a copy.
func (t *Table) Counters() Counters { return t.counters }

// Each calls f for each reason for which packets were dropped, in a fixed order.
func (c *Counters) Each(f func(why string, packets uint64)) {
	for why, n := range c.Dropped {
		if n > 0 {
			f(reason(why).String(), n)
		}
	}
}

func (c *Counters) ended(why Kind) {
	switch why {
	case Expired:
		c.Expired++
	case Evicted:
		c.Evicted++
	}
}
