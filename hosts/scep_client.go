package hosts

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ipseclab/ipseclab/internal/http1"
	"github.com/ipseclab/ipseclab/internal/pki"
	"github.com/ipseclab/ipseclab/internal/scep"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// Authority is a certification authority as a host reaches it: the server that answers for
// it, and how patient the host is.
type Authority struct {
	To   netip.AddrPort
	Host string // that the request names
	// Fingerprint is the thumbprint (pki.Certificate.Thumbprint) that the administrator was told of; "": whatever
	// certificate comes is trusted.
	Fingerprint string
	Timeout     time.Duration // of each connection
	Interval    time.Duration // between one question and the next, where there is no answer or no decision
	Tries       int           // how many questions; at least 1
}

// Enrolment is what a host wants of an authority.
type Enrolment struct {
	Authority
	Template  pki.Template // subject, names and usages
	Challenge string
	Key       pki.PrivateKey // of the certificate
	// Renew has the certificate take the place of the one that the host has of the authority, with
	// which the request is signed.
	Renew bool
}

// ErrDenied is in the chain of an error when an authority has refused.
var ErrDenied = errors.New("the authority refuses")

// asking is the course of an enrolment.
type asking struct {
	Authority
	host *Host
	rand io.Reader

	authorities  scep.Authorities
	capabilities scep.Capabilities
}

// Enrol gets a certificate from an authority by SCEP, and puts it into the store of the
// computer, with those of the authorities. Call it from a coroutine.
func (h *Host) Enrol(p *sim.Proc, e Enrolment) Report {
	return h.scepReport(p, e.To, func(a *asking) error { return a.enrol(p, e) }, e.Authority)
}

func (h *Host) scepReport(p *sim.Proc, to netip.AddrPort, do func(*asking) error, c Authority) Report {
	r := Report{Sent: 1}
	a := &asking{Authority: c, host: h, rand: h.world.Rand("host", h.name, "scep", strconv.Itoa(h.enrolments))}
	h.enrolments++
	start := p.Now()
	event := trace.Application{App: "scep client", Event: "done", Peer: to.String()}
	if r.Err = do(a); r.Err == nil {
		r.Received, r.Latency = 1, []time.Duration{p.Now() - start}
	} else {
		event.Event, event.Detail = resultOf(r.Err, false), r.Err.Error()
	}
	h.record(event)
	return r
}

// meet learns what the authority's certificate is, and what its server can.
func (a *asking) meet(p *sim.Proc) error {
	answer, err := a.ask(p, scep.GetCACert, nil)
	if err != nil {
		return err
	}
	if answer.Status != 200 {
		return fmt.Errorf("%v: the server answers %d %s", scep.GetCACert, answer.Status, answer.Reason)
	}
	a.authorities, err = scep.ParseAuthorities(answer.Header.Get("Content-Type"), answer.Body)
	if err != nil {
		return err
	}
	ca := a.authorities.CA
	if a.Fingerprint != "" && a.Fingerprint != ca.Thumbprint() {
		err := fmt.Errorf("the certificate of the authority is another one: %s, of %s; want %s", ca.Thumbprint(), ca.Subject, a.Fingerprint)
		a.record(scep.Exchange{Operation: scep.GetCACert, Status: -1, Subject: ca.Subject.String(), Reason: err.Error()})
		return err
	}
	a.record(scep.Exchange{Operation: scep.GetCACert, Status: -1, Subject: ca.Subject.String(), Serial: ca.Serial.Text(16)})
	if answer, err = a.ask(p, scep.GetCACaps, nil); err != nil {
		return err
	}
	if answer.Status == 200 { // else the server is older than the question
		a.capabilities = scep.ParseCapabilities(answer.Body)
	}
	return nil
}

func (a *asking) enrol(p *sim.Proc, e Enrolment) error {
	if err := a.meet(p); err != nil {
		return err
	}
	store := a.host.certificates()
	var old *pki.Own
	if e.Renew {
		i := slices.IndexFunc(store.Own, a.issued)
		if i < 0 {
			return fmt.Errorf("there is no certificate of %s to renew, with its key", a.authorities.CA.Subject)
		}
		own := store.Own[i]
		old = &own
		if e.Template.Subject == nil {
			e.Template.Subject, e.Template.AltNames = old.Certificate.Subject, old.Certificate.AltNames
		}
	}
	r, err := scep.NewRequester(a.rand, a.host.world.Time(), a.authorities, a.capabilities, e.Template, e.Challenge, e.Key, old)
	if err != nil {
		return err
	}
	say := r.Enrol
	for try := 1; ; try++ {
		answer, err := a.exchange(p, r, say)
		switch {
		case err != nil:
			return err
		case answer.Status == scep.Failure:
			return fmt.Errorf("%w: %v", ErrDenied, answer.Fail)
		case answer.Status == scep.Success:
			a.keep(pki.Own{Certificate: answer.Certificate, Key: e.Key}, old)
			return nil
		case try >= max(a.Tries, 1):
			return fmt.Errorf("the request is pending still: %w", ErrTimeout)
		}
		if err := a.pause(p); err != nil {
			return err
		}
		say = r.Poll
	}
}

// issued reports whether a certificate of the computer, with its key, is of the authority.
func (a *asking) issued(own pki.Own) bool {
	return own.Key != nil && own.Certificate.CheckSignature(a.authorities.CA.Key) == nil
}

// exchange sends a message and judges the answer.
func (a *asking) exchange(p *sim.Proc, r *scep.Requester, say func(io.Reader) ([]byte, error)) (scep.Answer, error) {
	der, err := say(a.rand)
	if err != nil {
		return scep.Answer{}, err
	}
	sent, err := scep.Parse(der)
	if err != nil {
		return scep.Answer{}, err
	}
	what := scep.Exchange{Operation: scep.PKIOperation, Message: sent.Type, Transaction: r.Transaction, Status: -1}
	if r.Request != nil {
		what.Subject = r.Request.Subject.String()
	}
	answer, err := a.ask(p, scep.PKIOperation, der)
	if err != nil {
		return scep.Answer{}, err
	}
	if answer.Status != 200 {
		err := fmt.Errorf("%v: the server answers %d %s", sent.Type, answer.Status, answer.Reason)
		what.Reason = err.Error()
		a.record(what)
		return scep.Answer{}, err
	}
	got, err := r.Answer(answer.Body)
	switch {
	case err != nil:
		what.Reason = err.Error()
	case got.Status == scep.Failure:
		what.Status, what.Reason = got.Status, got.Fail.String()
	default:
		if what.Status = got.Status; got.Certificate != nil {
			what.Serial = got.Certificate.Serial.Text(16)
		}
	}
	a.record(what)
	return got, err
}

// ask sends an operation, again after a while where no answer comes.
func (a *asking) ask(p *sim.Proc, op scep.Operation, der []byte) (*http1.Response, error) {
	message := ""
	r := http1.Request{Method: "GET", Proto: "HTTP/1.0", Header: http1.Header{{Name: "Host", Value: a.Host}}}
	switch {
	case op == scep.PKIOperation && a.capabilities.Has(scep.CapPOST):
		r.Method, r.Body = "POST", der
	case op == scep.PKIOperation:
		message = base64.StdEncoding.EncodeToString(der)
	default:
		message = "lab" // the name of the authority, of which servers of one need none
	}
	// The operation comes first, as in RFC 8894, Section 4.1.
	r.Target = SCEPPath + scepProgram + "?operation=" + string(op)
	if message != "" {
		r.Target += "&message=" + url.QueryEscape(message)
	}
	return a.patiently(p, func() (*http1.Response, error) { return a.host.fetch(p, a.To, r, p.Now()+a.Timeout) }, func(err error) {
		a.record(scep.Exchange{Operation: op, Status: -1, Reason: err.Error()})
	})
}

// patiently asks again after a while where no answer comes.
func (a *asking) patiently(p *sim.Proc, ask func() (*http1.Response, error), failed func(error)) (*http1.Response, error) {
	for try := 1; ; try++ {
		answer, err := ask()
		if err == nil || errors.Is(err, ErrRestarted) || try >= max(a.Tries, 1) {
			return answer, err
		}
		failed(err)
		if err := a.pause(p); err != nil {
			return nil, err
		}
	}
}

// pause waits until the next question; an error is that the host was restarted meanwhile.
func (a *asking) pause(p *sim.Proc) error {
	for until := p.Now() + a.Interval; p.Now() < until; {
		if err := a.host.wait(p, until); err != nil && !errors.Is(err, ErrTimeout) {
			return err
		}
	}
	return nil
}

func (a *asking) record(x scep.Exchange) { a.host.recordSCEP("requester", a.To.String(), x) }
