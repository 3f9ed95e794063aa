package hosts

import (
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/hosts/discovery"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Discover finds out what the box between the host and two servers does. second is another
// host on the same side of the box, whose network the discovery uses as well; nil: there is
// none. Call it from a coroutine of the host.
func (h *Host) Discover(p *sim.Proc, second *Host, c discovery.Config) (discovery.Report, error) {
	c.Clock = &discoveryClock{h: h, p: p}
	c.Rand = h.rand("discovery")
	c.Found = func(f discovery.Finding) {
		h.record(trace.Discovered{Key: f.Key, Value: f.Value(), Detail: f.Detail})
	}
	c.Places = nil
	hosts := []*Host{h}
	if second != nil {
		hosts = append(hosts, second)
	}
	var client *discovery.Client
	for _, on := range hosts {
		address, ok := on.nearEnd(c.Servers[0])
		if !ok {
			return discovery.Report{}, ErrUnreachable
		}
		place := &discoveryPlace{h: on, boot: on.boots, address: address}
		remove := on.addTaker(&taker{
			wants: func(packet []byte) bool { return client.Wants(packet) },
			take: func(packet []byte) {
				if len(place.queue) < maxTaken {
					place.queue = append(place.queue, packet)
				}
				p.Wake()
			},
		})
		defer remove()
		c.Places = append(c.Places, place)
	}
	client, err := discovery.NewClient(c)
	if err != nil {
		return discovery.Report{}, err
	}
	return client.Run()
}

// maxTaken packets wait for the client at a place.
const maxTaken = 4096

// discoveryPlace is a host as a discovery sees it.
type discoveryPlace struct {
	h       *Host
	boot    int
	address netip.Addr
	queue   [][]byte
}

func (d *discoveryPlace) Addr() netip.Addr { return d.address }

// Send sends a packet. That there is no way to its destination is no error: nobody answers.
func (d *discoveryPlace) Send(packet []byte) error {
	if d.h.boots != d.boot {
		return ErrRestarted
	}
	return ignoreUnreachable(d.h.writePacket(packet))
}

func (d *discoveryPlace) Receive() ([]byte, bool) {
	if len(d.queue) == 0 {
		return nil, false
	}
	packet := d.queue[0]
	d.queue = d.queue[1:]
	return packet, true
}

// discoveryClock is the time of the coroutine.
type discoveryClock struct {
	h *Host
	p *sim.Proc
}

func (d *discoveryClock) Now() time.Duration { return d.p.Now() }

func (d *discoveryClock) Wait(until time.Duration) error {
	if err := d.h.wait(d.p, until); err != ErrTimeout {
		return err
	}
	return nil
}
