package hosts

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"net/url"
	"slices"
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

// Site is what a host gives by HTTP.
type Site struct {
	SCEP  *scep.Server    // answers at SCEPPath; nil: nobody does
	Files map[string]File // by path
}

// File is something to be fetched.
type File struct {
	Type    string // of content
	Content []byte
}

// ServeHTTP answers requests of HTTP on a TCP port, in each family that the host speaks.
func (h *Host) ServeHTTP(port uint16, s Site) (*Listener, error) {
	l, err := h.serveTCP(port, func(l *Listener, p *sim.Proc, c *tcpSocket, from netip.AddrPort) {
		l.serveHTTP(p, c, from, func(r *http1.Request) http1.Response { return h.answerHTTP(s, r, from) })
	})
	if err == nil {
		l.again = func() error { _, err := h.ServeHTTP(port, s); return err }
	}
	return l, err
}

// answerHTTP answers a request. IIS does not tell cases of a path apart.
func (h *Host) answerHTTP(s Site, r *http1.Request, from netip.AddrPort) http1.Response {
	reply := scep.Reply{Type: "text/plain", Status: 404}
	u, err := r.URL()
	switch {
	case err != nil:
		reply.Status = 400
	case r.Method != "GET" && r.Method != "POST":
		reply.Status = 405
	case s.SCEP != nil && strings.EqualFold(strings.TrimSuffix(u.Path, scepProgram), SCEPPath):
		query := u.Query()
		reply = s.SCEP.Serve(h.world.Time(), scep.Operation(query.Get("operation")), scepMessage(r, query))
		h.recordSCEP("authority", from.String(), reply.What)
	default:
		for _, path := range slices.Sorted(maps.Keys(s.Files)) {
			if strings.EqualFold(path, u.Path) {
				reply = scep.Reply{Status: 200, Type: s.Files[path].Type, Body: s.Files[path].Content}
				break
			}
		}
	}
	return http1.Response{
		Proto: "HTTP/1.1", Status: reply.Status, Reason: reasonOf(reply.Status),
		Header: http1.Header{{Name: "Content-Type", Value: reply.Type}}, Body: reply.Body,
	}
}

// scepMessage is what the operation is about: RFC 8894, Section 4.1.
func scepMessage(r *http1.Request, query url.Values) []byte {
	message := query.Get("message")
	switch {
	case scep.Operation(query.Get("operation")) != scep.PKIOperation:
		return []byte(message)
	case r.Method == "POST":
		return r.Body
	}
	// Line feeds in it are passed over, and a plus that was not escaped has become a space.
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(message, " ", "+"))
	if err != nil {
		return nil // which is no message
	}
	return der
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
