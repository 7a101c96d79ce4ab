package plugins

// Abilities is what an endpoint can do beyond Stat, found once when it is
// opened. A field is nil when the endpoint lacks that ability.
type Abilities struct {
	Lister    Lister
	Locator   Locator
	Reader    Reader
	Digester  Digester
	Spacer    Spacer
	Prober    Prober
	Inspector Inspector
	Writer    Writer
	Remover   Remover
	Maker     Maker
	Mover     Mover
	Sweeper   Sweeper
	Keeper    Keeper
	Copier    Copier
	// Ordered is whether Lister yields names in ascending byte order.
	Ordered bool
}

// Able is an endpoint that states its abilities itself, because its type
// alone does not tell: a decorator can only do what the endpoint inside can.
type Able interface {
	Abilities() Abilities
}

// AbilitiesOf finds out what e can do.
func AbilitiesOf(e Endpoint) Abilities {
	if a, ok := e.(Able); ok {
		return a.Abilities()
	}
	var a Abilities
	a.Lister, _ = e.(Lister)
	a.Locator, _ = e.(Locator)
	a.Reader, _ = e.(Reader)
	a.Digester, _ = e.(Digester)
	a.Spacer, _ = e.(Spacer)
	a.Prober, _ = e.(Prober)
	a.Inspector, _ = e.(Inspector)
	a.Writer, _ = e.(Writer)
	a.Remover, _ = e.(Remover)
	a.Maker, _ = e.(Maker)
	a.Mover, _ = e.(Mover)
	a.Sweeper, _ = e.(Sweeper)
	a.Keeper, _ = e.(Keeper)
	a.Copier, _ = e.(Copier)
	if o, ok := e.(Ordered); ok {
		a.Ordered = o.Ordered()
	}
	return a
}

// Names lists the abilities by the words used in documentation and on the
// dashboard, in a fixed order.
func (a Abilities) Names() []string {
	names := []string{"stat"}
	for _, x := range []struct {
		has  bool
		name string
	}{
		{a.Lister != nil, "list"},
		{a.Locator != nil, "redirect"},
		{a.Reader != nil, "read"},
		{a.Digester != nil, "digest"},
		{a.Spacer != nil, "space"},
		{a.Writer != nil, "write"},
		{a.Remover != nil, "remove"},
		{a.Maker != nil, "mkdir"},
		{a.Mover != nil, "move"},
		{a.Keeper != nil, "properties"},
		{a.Copier != nil, "third-party"},
	} {
		if x.has {
			names = append(names, x.name)
		}
	}
	return names
}
