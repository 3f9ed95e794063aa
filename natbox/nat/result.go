package nat

// Result is what becomes of a packet.
type Result struct {
	// Packets go on, translated. There are several when fragments were held, and none while one is.
	Packets [][]byte
	// Why the packet ended here. "" when it goes on, or is held.
	Why string
	// Answer is a packet of the box's own to the sender: an ICMP error or a TCP RST.
	Answer []byte
	// Own: the packet belongs to no mapping, and came to an address of the box. What has
	// no use for it says Why.
	Own bool
}

func (t *Table) pass(p ipv4) Result {
	t.one[0] = p
	return Result{Packets: t.one[:]}
}

func (t *Table) drop(why reason) Result {
	t.counters.Dropped[why]++
	return Result{Why: why.String()}
}

func (t *Table) own(why reason) Result {
	t.counters.Own++
	return Result{Why: why.String(), Own: true}
}

// Counters count packets since New. They outlive Reboot.
type Counters struct {
	Outbound, Inbound, Hairpinned uint64 // translated
	Own                           uint64 // for the box itself
	Answers                       uint64
	Made, Expired, Evicted        uint64 // mappings
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

type reason uint8

const (
	none reason = iota
	malformed
	noMapping
	filtered
	noPort
	hostFull
	tableFull
	portShared
	noHairpin
	unsupported
	reasons
)

var reasonText = [reasons]string{
	malformed:   "not a whole IPv4 packet, or its transport header is cut",
	noMapping:   "no mapping for this outside endpoint",
	filtered:    "the mapping does not let this remote endpoint in",
	noPort:      "no outside port is free",
	hostFull:    "the inside host has as many mappings or sessions as it may",
	tableFull:   "the table is full",
	portShared:  "another mapping has this outside port",
	noHairpin:   "no hairpinning",
	unsupported: "this protocol is not translated",
}

func (r reason) String() string { return reasonText[r] }
