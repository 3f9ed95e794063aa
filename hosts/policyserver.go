package hosts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/sim"
)

// The lab's policy server stands for what a domain does, until there is one: a host
// that serves the policies of its local store by name, over TCP, in a form of the lab's
// own. The request is "policy NAME" and a line feed, the answer "none", or "policy" and
// a line feed and the policy's text (policy.ParseText) up to the end of the connection.
// Nothing in it is secret from whoever is on the way, the preshared keys neither (C104),
// unless IPsec protects it.
const (
	askPolicy  = "policy "
	havePolicy = "policy\n"
	noPolicy   = "none\n"
)

// maxPolicyName bounds the name in a request.
const maxPolicyName = 256

// ServePolicies answers requests for the policies of the local store on a TCP port, in
// each family that the host speaks.
func (h *Host) ServePolicies(port uint16) (*Listener, error) {
	l, err := h.serveTCP(port, (*Listener).servePolicy)
	if err == nil {
		l.again = func() error { _, err := h.ServePolicies(port); return err }
	}
	return l, err
}

// servePolicy answers one request.
func (l *Listener) servePolicy(p *sim.Proc, c *tcpSocket, from netip.AddrPort) {
	defer c.close()
	c.onReady(p.Wake)
	var request []byte
	for !bytes.HasSuffix(request, []byte("\n")) {
		b := make([]byte, maxPolicyName)
		n, err := c.read(p, b, p.Now()+serverIdle)
		request = append(request, b[:n]...)
		l.seen.Bytes += int64(n)
		if err != nil || len(request) > len(askPolicy)+maxPolicyName {
			l.record("closed", from, int64(len(request)), "no request")
			return
		}
	}
	name, ok := strings.CutPrefix(strings.TrimSuffix(string(request), "\n"), askPolicy)
	answer := []byte(noPolicy)
	if stored := l.host.store.Policy(Local, name); ok && stored != nil {
		text, err := stored.Text()
		if err != nil {
			l.record("closed", from, int64(len(request)), err.Error())
			return
		}
		answer = append([]byte(havePolicy), text...)
	}
	l.record("request", from, int64(len(request)), "policy "+name)
	if err := c.write(p, answer, p.Now()+serverIdle); err != nil {
		l.record("closed", from, int64(len(request)), "answering: "+err.Error())
		return
	}
	c.ep.Shutdown(tcpip.ShutdownWrite)
	c.read(p, make([]byte, 1), p.Now()+serverIdle) // until the client closes
	l.record("closed", from, int64(len(request)), "")
}

// PolicyServer is the source that ServePolicies serves.
type PolicyServer struct {
	Server netip.AddrPort
	Policy string // its name there

	// Timeout bounds the whole request; 0: 30 s, a choice of the lab.
	Timeout time.Duration
}

var _ Source = PolicyServer{}

// String is the server's address and port.
func (s PolicyServer) String() string { return s.Server.String() }

// Fetch implements Source over a TCP connection of the host, which its IPsec policy
// concerns as any other.
func (s PolicyServer) Fetch(p *sim.Proc, h *Host) (*policy.Policy, error) {
	deadline := p.Now() + s.Timeout
	if s.Timeout == 0 {
		deadline = p.Now() + 30*time.Second
	}
	socket, err := h.newSocket(tcp.ProtocolNumber, familyOf(s.Server.Addr()))
	if err != nil {
		return nil, err
	}
	c := &tcpSocket{socket}
	defer c.close()
	c.onReady(p.Wake)
	if err := c.connect(p, s.Server, deadline); err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if err := c.write(p, []byte(askPolicy+s.Policy+"\n"), deadline); err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	answer, err := c.readAll(p, len(havePolicy)+policy.MaxText, deadline)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	c.finish(p)
	text, ok := bytes.CutPrefix(answer, []byte(havePolicy))
	if !ok {
		if string(answer) == noPolicy {
			return nil, nil
		}
		return nil, answerError(errors.New("neither a policy nor none"))
	}
	fetched, err := policy.ParseText(text)
	if err != nil {
		return nil, answerError(err)
	}
	return fetched, nil
}

// readAll reads up to the end of the connection.
func (s *tcpSocket) readAll(p *sim.Proc, most int, deadline time.Duration) (all []byte, err error) {
	buf := make([]byte, 16<<10)
	for {
		n, err := s.read(p, buf, deadline)
		if all = append(all, buf[:n]...); len(all) > most {
			return nil, fmt.Errorf("more than %d bytes", most)
		}
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
	}
}
