package listen

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
)

// change is what one Apply does to a server, until it is sure to work.
type change struct {
	server    *Server
	listeners []Listener

	next    []*port   // what will be open, as listeners has it
	secrets []*secret // and its TLS; nil is plain
	fresh   []*port   // those of next that were opened for it
	aside   []*port   // those that leave, and had to make room already
}

// prepare opens everything that is new. What needs room that a leaving port
// takes up comes last, when nothing else can fail any more.
func (c *change) prepare() error {
	c.next, c.secrets = make([]*port, len(c.listeners)), make([]*secret, len(c.listeners))
	var late []int
	for i, l := range c.listeners {
		if slices.ContainsFunc(c.listeners[:i], func(o Listener) bool { return o.Address == l.Address }) {
			return refusal(l.Address, errors.New("it is there twice; keep one"))
		}
		if l.TLS != nil {
			var err error
			if c.secrets[i], err = newSecret(*l.TLS, c.server.options.Log); err != nil {
				return refusal(l.Address, err)
			}
		}
		if c.next[i] = find(c.server.open, l.Address); c.next[i] != nil {
			continue
		}
		err := c.open(i)
		if errors.Is(err, syscall.EADDRINUSE) {
			late = append(late, i)
		} else if err != nil {
			return refusal(l.Address, advise(err))
		}
	}
	for _, i := range late {
		address := c.listeners[i].Address
		if err := c.makeRoom(address); err != nil {
			return refusal(address, err)
		}
		if err := c.open(i); err != nil {
			return refusal(address, advise(err))
		}
	}
	return nil
}

// open opens the i-th listener.
func (c *change) open(i int) error {
	address := c.listeners[i].Address
	inner, err := bind(address)
	if err != nil {
		return err
	}
	c.next[i] = c.server.port(address, inner)
	c.fresh = append(c.fresh, c.next[i])
	return nil
}

// makeRoom puts aside the leaving ports that may stand in the way of address:
// those with the same port number, whatever their hosts are called.
func (c *change) makeRoom(address string) error {
	_, service, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := net.LookupPort("tcp", service)
	if err != nil {
		return err
	}
	for _, p := range c.server.open {
		if at, ok := p.socket.Addr().(*net.TCPAddr); !ok || at.Port != number || c.stays(p) || slices.Contains(c.aside, p) {
			continue
		}
		c.aside = append(c.aside, p)
		if err := p.socket.putAside(); err != nil {
			return err
		}
	}
	return nil
}

// stays reports whether a port that is open is one of the listeners.
func (c *change) stays(p *port) bool {
	return slices.ContainsFunc(c.listeners, func(l Listener) bool { return l.Address == p.address })
}

// undo closes what was opened, takes up what was put aside, and returns err.
// Somebody else may have been quicker: such an address is lost, which the error
// tells.
func (c *change) undo(err error) error {
	for _, p := range c.fresh {
		err = errors.Join(err, p.socket.Close())
	}
	for _, p := range c.aside {
		inner, lost := bind(p.socket.Addr().String())
		if lost == nil {
			p.socket.takeUp(inner)
			continue
		}
		err = errors.Join(err, fmt.Errorf("and no longer: %w", refusal(p.address, advise(lost))))
		s := c.server
		s.open = slices.DeleteFunc(slices.Clone(s.open), func(q *port) bool { return q == p })
		s.leave(p)
	}
	return err
}
