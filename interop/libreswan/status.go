package libreswan

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// State is an SA as pluto lists it with whack --status or --showstates.
type State struct {
	Number      uint32
	Connection  string // without the number of an instance
	Instance    int    // of a connection that is for many; 0: it is not
	Name        string // STATE_MAIN_I4, STATE_QUICK_R2 …
	Meaning     string // as pluto words it: IPsec SA established
	Established bool
	Parent      uint32 // of an IPsec SA: the number of its IKE SA
	ReplaceIn   time.Duration

	// Of IPsec SAs.
	Protocol ipsec.Protocol
	In, Out  uint32 // SPIs
	Tunnel   bool
	Remote   netip.Addr
}

var (
	stateLine = regexp.MustCompile(`^(?:\d{3} )?#(\d+): "([^"]+)"(\[\d+\])?(?: \S+)?(?::\d+)? (STATE_\w+) \(([^)]*)\)(.*)$`)
	spiLine   = regexp.MustCompile(`^(?:\d{3} )?#(\d+): "([^"]+)"(?:\[\d+\])?(?: [^\s@]+)? ((?:(?:esp|ah|tun)\.[0-9a-fA-F]+@\S+ ?)+)(.*)$`)
	oneSPI    = regexp.MustCompile(`(esp|ah|tun)\.([0-9a-fA-F]+)@(\S+)`)
	replace   = regexp.MustCompile(`(?:REPLACE|RETRANSMIT|EXPIRE) in (\d+)s`)
	parent    = regexp.MustCompile(`(?:IKE|ISAKMP) SA #(\d+)|isakmp#(\d+)`)
)

// Status reads the states in what whack --status or --showstates prints. Lines that say something else are passed over.
func Status(out string) (all []State) {
	at := func(number string) *State {
		for i := range all {
			if strconv.FormatUint(uint64(all[i].Number), 10) == number {
				return &all[i]
			}
		}
		return nil
	}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n ")
		if m := stateLine.FindStringSubmatch(line); m != nil {
			s := State{Number: number(m[1]), Connection: m[2], Name: m[4], Meaning: m[5]}
			s.Instance = int(number(strings.Trim(m[3], "[]")))
			s.Established = strings.Contains(m[5], "established")
			if r := replace.FindStringSubmatch(m[6]); r != nil {
				s.ReplaceIn = time.Duration(number(r[1])) * time.Second
			}
			if p := parent.FindStringSubmatch(m[6]); p != nil {
				s.Parent = number(p[1] + p[2])
			}
			all = append(all, s)
			continue
		}
		if m := spiLine.FindStringSubmatch(line); m != nil {
			if s := at(m[1]); s != nil {
				s.spis(m[3])
			}
		}
	}
	return all
}

// spis reads "esp.1@peer esp.2@me tun.0@peer tun.0@me": what goes out comes first.
func (s *State) spis(text string) {
	seen := 0
	for _, m := range oneSPI.FindAllStringSubmatch(text, -1) {
		spi, err := strconv.ParseUint(m[2], 16, 32)
		switch {
		case err != nil:
		case m[1] == "tun":
			s.Tunnel = true
		default:
			s.Protocol = map[string]ipsec.Protocol{"esp": ipsec.ESP, "ah": ipsec.AH}[m[1]]
			if seen == 0 {
				s.Out = uint32(spi)
				s.Remote, _ = netip.ParseAddr(m[3])
			} else if seen == 1 {
				s.In = uint32(spi)
			}
			seen++
		}
	}
}

// number is 0 for what is none, or too large.
func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
