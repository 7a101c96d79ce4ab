package frontend

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"canopy/federator"
	"canopy/federator/geo"
	"canopy/federator/write"
	"canopy/frontend/lock"
	"canopy/frontend/resume"
	"canopy/frontend/transfer"
	"canopy/web"
)

// Options are what a front end is made of. They are not changed once it is
// made: a new configuration is a new Handler.
type Options struct {
	// Federator answers every question about the namespace. It is required,
	// as are Pages.
	Federator *federator.Federator
	// Writer changes the federation; nil where it can be read only.
	Writer *write.Writer
	// Transfers copies files from and to other servers; nil is that none are.
	Transfers *transfer.Agent
	// Uploads are the resumable ones; nil is that there are none. They need a
	// Writer.
	Uploads *resume.Handler
	// Copies tells how many copies of files there are to be; nil is one of each.
	Copies Copies
	// Locks are those of the federation, shared by its front ends; nil is that
	// there are none.
	Locks *lock.Table
	Pages *web.Pages
	// Atlas places clients; it is to be the one that the federator has, so
	// that their places compare. Nil places nobody.
	Atlas *geo.Atlas
	// Log gets causes, each with the id of the request; nil is
	// slog.DiscardHandler.
	Log *slog.Logger

	// Title is the federation's name on pages; "" is "Canopy".
	Title string
	// Namespace is the URL path at which the namespace begins; "" is "/".
	Namespace string
	// Proxy are the clients that cannot follow a redirect, beyond those that
	// package agents knows: "cadaver/*", or "rclone/* PUT" for one method.
	Proxy []string

	// Lookups is how many paths are looked up at once, over all requests for
	// many (in bulk, and the metalink of a directory). More than the endpoints
	// answer at once would wait in line there, before everybody else, and be
	// refused where the line is full. 0 is DefaultLookups.
	Lookups int

	// Origin tells where a request comes from; nil believes the connection
	// and nothing that the request says.
	Origin func(*http.Request) Origin
	// Guard says who asks and what they may do; nil lets anybody read and
	// list, and nobody do anything else.
	Guard Guard
	// Observe is told of each request once it was answered. It is called in
	// the request's own goroutine and must not keep the Exchange; nil is
	// nobody.
	Observe func(*Exchange)

	// Handlers serve what lies below /-/ besides the front end's own, by the
	// first component of the path there: "healthz", "readyz", "metrics",
	// "dashboard". They get the request as it came. The first three get GET
	// and HEAD of their own path, the first two from anybody; others get all
	// methods and what lies below, from those who may read that path.
	Handlers map[string]http.Handler
	// Seed makes the ids of requests differ from those of other processes.
	Seed uint64
}

// Copies tells how many copies there are to be of a path, and whether some are
// going to be made.
type Copies interface {
	Wish(path string) (copies int, waiting bool)
}

// DefaultLookups is the number of questions that an endpoint is asked at once
// unless its limits say otherwise.
const DefaultLookups = 64

// Origin is where a request comes from, proxies that are trusted being seen
// through.
type Origin struct {
	// Addr is the client's address; invalid when it cannot be told.
	Addr netip.Addr
	// Secure is whether the client came by https.
	Secure bool
	// Host is the host, with its port if any, that the client asked for.
	Host string
}

// User is who somebody is taken for. The zero User is anybody.
type User struct {
	Name   string
	Groups []string
}

// Right is something that a user may be allowed to do.
type Right uint8

// The rights of which package frontend makes use.
const (
	// Read: the content of a file, and where it is.
	Read Right = iota + 1
	// List: the names in a directory, and what they are.
	List
	// Write: to make files and directories, and to change them.
	Write
	// Delete: to remove them, or to move them away.
	Delete
	// Admin: to take endpoints out of service, and put them back.
	Admin
)

// Guard says who asks and what they may do. Its methods are called
// concurrently, once or more for each request, so they are to be quick.
type Guard interface {
	// Identify returns who sent r. An error means that what r carries as a
	// proof does not hold, which is answered with 401, but for
	// identity.ErrBusy, which is 503, and the error of r's context.
	Identify(r *http.Request) (User, error)
	// Allowed reports whether u has the right at path, which is absolute and
	// clean.
	Allowed(u *User, right Right, path string) bool
	// Challenges are the values of WWW-Authenticate by which somebody unknown
	// is asked for a proof; none where there is no way to give one.
	Challenges() []string
}

// Exchange is one request with what became of it, for the access log and the
// metrics.
type Exchange struct {
	Request *http.Request
	// ID is the request's id, of characters that are harmless in a log.
	ID     string
	Origin Origin
	User   User
	// Status is what was sent; 499 if the client went away before that.
	Status int
	// Bytes is the length of the body sent.
	Bytes int64
	// Endpoint is whom the client was sent to, or whose bytes it got; "" if
	// there was none.
	Endpoint string
	// Proxied is whether the bytes were carried from there.
	Proxied bool
	// Broken is whether the answer broke off in its middle.
	Broken bool
	Began  time.Time
	Took   time.Duration
}
