// Package federator is the idea itself: ask many, merge, remember, choose.
//
// It turns paths of the namespace into facts (Lookup, List), replicas in order
// (Locate) and bytes (Open), by asking endpoints through the contract of
// package plugins. It knows no endpoint type and no HTTP.
//
// # Asking
//
// A path that is not in the cache becomes a flight: one question to each
// candidate, at once, for as many callers as want it. Each caller is answered
// as soon as the flight knows enough for what it needs (Need); what comes
// later still goes into the cache. A flight that nobody waits for any more,
// before anybody got an answer, is cancelled.
//
// # Truth
//
// Absent is a path to which every candidate has said no. Where some could not
// be asked the error is *Unknown, or *Absent with names in Missing, as the
// policy for the unknown says. A record states who has answered (package
// record), so an endpoint that comes back, or is configured later, is asked
// for every path that was settled without it.
//
// # Generations
//
// Settings and endpoints form a generation that is replaced as a whole
// (Reload). The cache, the health of endpoints and the open endpoints
// themselves outlive it as long as their identity stays the same.
package federator

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Doubt says what is answered for a path that nobody has while somebody could
// not be asked.
type Doubt uint8

// The policies for the unknown.
const (
	// Evidence: unavailable if anything suggests that a silent endpoint
	// holds the path, else absent.
	Evidence Doubt = iota
	// AlwaysUnavailable: never absent while anybody is silent.
	AlwaysUnavailable
	// AlwaysAbsent: silent endpoints count as having said no.
	AlwaysAbsent
)

// Settings are what a generation needs of the configuration besides its
// endpoints.
type Settings struct {
	// Deadline bounds every wait for an endpoint, Grace the wait for a better
	// replica after the first.
	Deadline, Grace time.Duration
	Unknown         Doubt
	// DoubtFor is how long after an endpoint fell silent anything might still
	// be on it.
	DoubtFor time.Duration
	// EntryTTL, ListingTTL and AbsentTTL are how long what was learned is
	// fresh; Stale is how long after that it may still be served.
	EntryTTL, ListingTTL, AbsentTTL, Stale time.Duration
	// Select names the policies in order.
	Select []string
	Choice choice.Settings
	// Atlas places clients; nil places nobody.
	Atlas *geo.Atlas
}

// Names maps paths of the namespace to those of one endpoint.
type Names interface {
	// Endpoint returns the endpoint's paths for path, none if it has none.
	Endpoint(path string) []string
	// Listable returns the endpoint's directories whose children are those
	// of path.
	Listable(path string) []string
	// Virtual returns the names below dir that exist by configuration, and
	// whether dir itself does.
	Virtual(dir string) (names []string, ok bool)
}

// Access says how clients get at an endpoint's bytes.
type Access uint8

// The ways to the bytes.
const (
	// Auto: redirect where the endpoint can be reached by clients.
	Auto Access = iota
	Redirect
	// Proxy: Canopy carries the bytes.
	Proxy
)

// Endpoint is one configured storage.
type Endpoint struct {
	Name string
	// ID is what its health and its cached replicas are kept under.
	ID record.ID
	// Fingerprint covers the whole configuration of the endpoint: while it
	// stays the same, the open endpoint is kept.
	Fingerprint string
	// Open makes the storage ready, without waiting for it to be reachable.
	Open func(context.Context) (plugins.Endpoint, error)
	// Type is the name of its type, for people.
	Type     string
	Mount    string
	Names    Names
	Access   Access
	Read     bool
	List     bool
	Write    bool
	Site     string
	Weight   float64
	Tier     string
	Draining bool
	// ProbeEvery is the time between probes, ProbePath the endpoint's own
	// path that is asked for, ProbeTimeout the bound of one probe.
	ProbeEvery, ProbeTimeout time.Duration
	ProbePath                string
}

// Bounds are the sizes of the in-process cache.
type Bounds struct {
	// Entries is the number of paths remembered.
	Entries int
	// Bytes is the most heap that entries and listings may take together.
	Bytes int64
}

// Outside is what a federator gets of the world.
type Outside struct {
	Log *slog.Logger
	// Seed makes the shares among equals unpredictable, or exact in a test.
	Seed uint64
	// Addresses finds the addresses of a host name; nil finds none, so that
	// the client's address family does not matter.
	Addresses func(ctx context.Context, host string) (v4, v6 bool, err error)
	// Observe is told of every question that was answered, or not; nil is
	// nobody. It must not block.
	Observe func(endpoint, op string, kind plugins.Kind, took time.Duration)
	// Veil hides what has been written over or deleted; nil hides nothing.
	Veil Veil
}

// Federator is one federation. All methods may be called concurrently.
type Federator struct {
	outside Outside
	log     *slog.Logger
	shared  cache.Shared // nil without a second level

	gen atomic.Pointer[generation]
	// epoch changes whenever a choice made before may no longer be right: a
	// new generation, an endpoint's condition, a step in latency or load.
	epoch atomic.Uint64

	entries   *cache.Store[*record.Record]
	listings  *cache.Store[*record.Listing]
	largest   int64 // the most that one listing may take, in bytes; 0 is no bound
	sets      record.Coverages
	decisions *lru.Cache[decisionKey, *Decision]
	decks     *lru.Cache[string, *choice.Deck]

	// forgotten counts what was dropped from the cache for being wrong.
	forgotten atomic.Uint64
	lately    lately

	flights  flights[*flight]
	listers  flights[*lister]
	counters Counters

	reload sync.Mutex // one Reload at a time
	health map[record.ID]*health.State
	life   sync.Mutex // guards users and holders of generations

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup
}

const (
	decisionsKept = 1 << 14
	decksKept     = 1 << 10
	// listingShare is the part of the room for listings that one may take: a
	// larger one is passed on as it comes, and not kept.
	listingShare = 8
)

// New returns a federator without endpoints. shared is the second level of
// the cache, or nil; the federator closes it.
func New(bounds Bounds, shared cache.Shared, out Outside) *Federator {
	if out.Log == nil {
		out.Log = slog.New(slog.DiscardHandler)
	}
	if out.Veil == nil {
		out.Veil = open{}
	}
	f := &Federator{
		outside: out, log: out.Log, shared: shared,
		listings: cache.New[*record.Listing](cache.Options{Bytes: bounds.Bytes / 2, LargestShare: listingShare}),
		largest:  bounds.Bytes / 2 / listingShare,
		health:   make(map[record.ID]*health.State),
	}
	// Half of the bytes each: a scan of large directories cannot push out what
	// single lookups learned, nor the other way round.
	f.entries = cache.NewPacked(cache.Options{Entries: bounds.Entries, Bytes: bounds.Bytes / 2}, record.Packer{Sets: &f.sets})
	f.decisions, _ = lru.New[decisionKey, *Decision](decisionsKept)
	f.decks, _ = lru.New[string, *choice.Deck](decksKept)
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.gen.Store(&generation{policies: nil})
	f.epoch.Store(1)
	f.wg.Go(f.tick)
	return f
}

// Close ends all probes and flights, waits until all Contents that are being
// read have been closed, and closes the endpoints. No other call follows.
func (f *Federator) Close() error {
	f.reload.Lock()
	defer f.reload.Unlock()
	f.stop()
	f.replace(&generation{})
	f.wg.Wait()
	if f.shared != nil {
		return f.shared.Close()
	}
	return nil
}

// changed makes all memoized choices be made anew.
func (f *Federator) changed() { f.epoch.Add(1) }
