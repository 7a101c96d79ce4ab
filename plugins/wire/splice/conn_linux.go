package splice

import (
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Conn is a connection to a storage that can move what it receives to a Pipe.
type Conn struct {
	*net.TCPConn
	armed atomic.Pointer[arms]
}

// arms are what a Conn works with during one request.
type arms struct {
	pipe          *Pipe
	hold, release func()
}

// Wrap returns a connection that can move what it receives, or c where that is
// not possible.
func Wrap(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		return &Conn{TCPConn: tcp}
	}
	return c
}

// Arm has the connection c, if it can, move what is read into p's buffer. While
// the client is being waited for, and not the storage, hold has been called and
// release has not.
func Arm(c net.Conn, p *Pipe, hold, release func()) {
	if conn, ok := c.(*Conn); ok {
		conn.armed.Store(&arms{p, hold, release})
	}
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	a := c.armed.Load()
	if a == nil || !a.pipe.takes(b) {
		return c.TCPConn.Read(b)
	}
	n := c.wait()
	if n == 0 {
		return c.TCPConn.Read(b) // which tells why
	}
	a.hold()
	defer a.release()
	return a.pipe.move(c.TCPConn, min(n, len(b)))
}

// wait waits until bytes have arrived, and returns how many; none is an end or
// an error.
func (c *Conn) wait() (n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	// An error of its own is found again by who reads.
	_ = raw.Read(func(fd uintptr) bool {
		if n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ); err != nil || n > 0 {
			return true
		}
		// None, but is there an end? That makes a socket readable, too.
		_, _, err = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	})
	return n
}
