package spec

import (
	"encoding/hex"
	"slices"
	"time"
)

// Raw sends datagrams of an IP protocol without ports, such as RSVP, and waits for no answer.
type Raw struct {
	From     string   `yaml:"from" jsonschema:"required"`
	To       string   `yaml:"to" jsonschema:"required"`
	Protocol int      `yaml:"protocol" jsonschema:"required,minimum=1,maximum=255"` // number: 46 is RSVP
	Count    int      `yaml:"count" jsonschema:"minimum=0,maximum=1000000"`         // 0: 1
	Interval Duration `yaml:"interval"`                                             // 0: 1s
	Size     int      `yaml:"size" jsonschema:"minimum=0,maximum=65507"`            // bytes behind the IP header; 0: 64
	Options  string   `yaml:"options"`                                              // of IPv4, in hexadecimal, a multiple of 4 bytes up to 40: "94040000" is a router alert
}

// Datagrams is the number of datagrams sent.
func (r Raw) Datagrams() int { return or(r.Count, 1) }

// Gap is the time from one datagram to the next, and from the last one to the end of the step.
func (r Raw) Gap() time.Duration { return or(r.Interval.Span(), time.Second) }

// HeaderOptions are those of the IPv4 header. Check has refused what is none.
func (r Raw) HeaderOptions() []byte {
	b, _ := hex.DecodeString(r.Options)
	return b
}

// PayloadBytes is what stands behind the IP header.
func (r Raw) PayloadBytes() int { return or(r.Size, 64) }

// taken are the IP protocols that have a meaning to the stack of a host: ICMP, IGMP,
// TCP, UDP, AH, ESP and ICMPv6; the extension headers of IPv6 and 59, which means that
// nothing follows; 4 and 41 carry whole packets.
var taken = []int{1, 2, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 135, 139, 140}

// free checks the number of a protocol that an application may speak.
func (c *checker) free(path string, number int) {
	switch {
	case number < 1 || number > 255:
		c.at(child(path, "protocol"), "protocol: %d is not from 1 to 255", number)
	case slices.Contains(taken, number):
		c.at(child(path, "protocol"), "protocol: %d is for the IP stack itself: applications may have others, such as 46, RSVP", number)
	}
}

func (c *checker) raw(path string, r *Raw) {
	c.ends(path, r.From, r.To, false)
	if r.Protocol == 0 && !c.given(child(path, "protocol")) {
		c.missing(path, "protocol", "raw: there is no protocol: a number, such as 46 for RSVP")
	} else {
		c.free(path, r.Protocol)
	}
	c.repeated(path, r.Count, r.Gap(), r.Size, 0)
	if r.Options == "" {
		return
	}
	at := child(path, "options")
	if b, err := hex.DecodeString(r.Options); err != nil || len(b) == 0 || len(b)%4 != 0 || len(b) > 40 {
		c.at(at, "options: want 4 to 40 bytes of IPv4 options in hexadecimal, a multiple of 4, got %q", shorten(r.Options))
	} else if to, err := c.s.Resolve(r.To); err == nil && !to.Is4() {
		c.at(at, "options: %s is an IPv6 address, and options are of IPv4", to)
	}
}
