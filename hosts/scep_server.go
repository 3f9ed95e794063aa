package hosts

import (
	"encoding/base64"
	"net/netip"
	"strings"

	"github.com/ipseclab/ipseclab/internal/http1"
	"github.com/ipseclab/ipseclab/internal/scep"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// SCEPPath is where the add-on Cepsetup of Windows answers. IOS appends the name of a program.
const (
	SCEPPath    = "/certsrv/mscep/mscep.dll"
	scepProgram = "/pkiclient.exe"
)

// ServeSCEP answers for a certification authority by HTTP on a TCP port, in each family that
// the host speaks, at [SCEPPath].
func (h *Host) ServeSCEP(port uint16, s *scep.Server) (*Listener, error) {
	l, err := h.serveTCP(port, func(l *Listener, p *sim.Proc, c *tcpSocket, from netip.AddrPort) {
		l.serveHTTP(p, c, from, func(r *http1.Request) http1.Response { return h.answerSCEP(s, r, from) })
	})
	if err == nil {
		l.again = func() error { _, err := h.ServeSCEP(port, s); return err }
	}
	return l, err
}

// answerSCEP answers a request: RFC 8894, Section 4.1.
func (h *Host) answerSCEP(s *scep.Server, r *http1.Request, from netip.AddrPort) http1.Response {
	reply := scep.Reply{Type: "text/plain"}
	u, err := r.URL()
	switch {
	case err != nil:
		reply.Status = 400
	case r.Method != "GET" && r.Method != "POST":
		reply.Status = 405
	case !strings.EqualFold(strings.TrimSuffix(u.Path, scepProgram), SCEPPath): // IIS does not tell cases apart
		reply.Status = 404
	default:
		query := u.Query()
		op := scep.Operation(query.Get("operation"))
		message := []byte(query.Get("message"))
		switch {
		case op == scep.PKIOperation && r.Method == "POST":
			message = r.Body
		case op == scep.PKIOperation:
			// Line feeds in it are passed over, and a plus that was not escaped has become a space.
			der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(message), " ", "+"))
			if err != nil {
				der = nil // which is no message
			}
			message = der
		}
		reply = s.Serve(h.world.Time(), op, message)
		h.recordSCEP("authority", from.String(), reply.What)
	}
	return http1.Response{
		Proto: "HTTP/1.1", Status: reply.Status, Reason: reasonOf(reply.Status),
		Header: http1.Header{{Name: "Content-Type", Value: reply.Type}}, Body: reply.Body,
	}
}

// recordSCEP tells of a question and its answer.
func (h *Host) recordSCEP(role, peer string, x scep.Exchange) {
	e := trace.SCEP{
		Role: role, Peer: peer, Operation: string(x.Operation), Transaction: x.Transaction, Status: x.Status.String(),
		Subject: x.Subject, Serial: x.Serial, Reason: x.Reason,
	}
	if x.Operation == scep.PKIOperation && x.Message != 0 {
		e.Message = x.Message.String()
	}
	h.record(e)
}
