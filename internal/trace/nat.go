package trace

func init() {
	register[NATMappingAdded]()
	register[NATMappingExpired]()
	register[NATMappingEvicted]()
	register[NATMappingDropped]()
	register[NATMappingMoved]()
	register[NATMappingRefused]()
	register[NATMappingBound]()
	register[NATMappingClosed]()
	register[NATMappingReplaced]()
	register[NATRebooted]()
}

// NATMapping is what a NAT joins: an endpoint inside and one outside. Endpoints are
// address:port, with the identifier of ICMP queries as the port, or the address alone.
type NATMapping struct {
	Protocol string `json:"protocol"`
	Inside   string `json:"inside"`
	Outside  string `json:"outside,omitempty"`
	Remote   string `json:"remote,omitempty"` // the only one that it is for, where it depends on that

	SPIOut string `json:"spi_out,omitempty"` // of ESP or AH that is followed by the numbers of SAs: of packets from inside
	SPIIn  string `json:"spi_in,omitempty"`  // and of those from outside, once it is known
	Cookie string `json:"cookie,omitempty"`  // of IKE that is followed by the initiator's cookie
}

// NATMappingAdded is a new mapping.
type NATMappingAdded struct{ NATMapping }

// NATMappingExpired is the end of one that nothing has used in time.
type NATMappingExpired struct{ NATMapping }

// NATMappingEvicted is the end of one that gave way in a full table.
type NATMappingEvicted struct{ NATMapping }

// NATMappingDropped is the end of one because the box forgot it, or its address went.
type NATMappingDropped struct{ NATMapping }

// NATMappingMoved is a mapping that got another outside address.
type NATMappingMoved struct{ NATMapping }

// NATMappingBound is an SA whose number in the other direction is known from now on, or thought to be.
type NATMappingBound struct{ NATMapping }

// NATMappingClosed is the end of one that was for a TCP connection, which was reset.
type NATMappingClosed struct{ NATMapping }

// NATMappingReplaced is the end of one in favour of another inside host.
type NATMappingReplaced struct{ NATMapping }

// NATMappingRefused is one that was not made.
type NATMappingRefused struct {
	NATMapping
	Reason string `json:"reason"`
}

// NATRebooted says that a box has forgotten all that it had learnt.
type NATRebooted struct {
	Mappings int `json:"mappings"` // that it had
}

func (NATMappingAdded) Kind() string    { return "nat.mapping.added" }
func (NATMappingBound) Kind() string    { return "nat.mapping.bound" }
func (NATMappingClosed) Kind() string   { return "nat.mapping.closed" }
func (NATMappingReplaced) Kind() string { return "nat.mapping.replaced" }
func (NATMappingExpired) Kind() string  { return "nat.mapping.expired" }
func (NATMappingEvicted) Kind() string  { return "nat.mapping.evicted" }
func (NATMappingDropped) Kind() string  { return "nat.mapping.dropped" }
func (NATMappingMoved) Kind() string    { return "nat.mapping.moved" }
func (NATMappingRefused) Kind() string  { return "nat.mapping.refused" }
func (NATRebooted) Kind() string        { return "nat.rebooted" }
