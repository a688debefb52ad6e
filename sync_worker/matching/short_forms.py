"""Which given names are short forms of which: Bob of Robert, Shaz of Sharon.

Owns the dictionary, which is the public list of the `nicknames` package, less the entries that join different
people, plus what Australians say. One step only: that Alex is short for Alexander and for Alexandra says nothing of
those two, and it refuses to chain them. All names here are folded: lower-case ASCII without spaces.
"""

from collections.abc import Mapping
from functools import cache

from nicknames import NickNamer

from sync_worker.matching.given_names import GIVEN_NAMES


def is_one_step(one: str, other: str) -> bool:
    """Whether one of two folded given names is in the dictionary as a form of the other."""
    return is_short_form(one, of=other) or is_short_form(other, of=one)


def is_short_form(short: str, *, of: str) -> bool:
    """Whether the dictionary gives the one as a short form of the other, in this direction."""
    return short in short_forms().get(of, ())


def is_given_name(name: str) -> bool:
    """Whether a folded name is known to be some given name."""
    return name in _given_names()


@cache
def _given_names() -> frozenset[str]:
    names = short_forms()
    return GIVEN_NAMES.union(names, *names.values(), _OWN_NAMES.split())


_MORE_SHORT_FORMS = """
alison:ally andrea:ange angela:ange angus:gus antonia:toni antoinette:toni antony:tony,ant barry:baz,bazza
bernadette:bern,bernie bronwyn:bron carol:caz,cazza caroline:caz,cazza catherine:cath,kate,katie,cate
charlotte:charlie cheryl:chez,chezza christine:chrissie colin:col darren:daz,dazza darryl:daz,dazza daryl:daz,dazza
desmond:des evelyn:evie francesca:frankie,fran gareth:gaz,gazza garry:gaz,gazza gary:gaz,gazza gavin:gav
georgia:georgie georgina:georgie,gina isabella:izzy isabelle:izzy jeremy:jez,jezza karen:kaz,kazza
katherine:kath,katie kathleen:kath,kate,katie kathryn:kath kerry:kez,kezza lachlan:lachie,lochie,lach lauren:loz,lozza
laurence:laurie,loz lawrence:laurie,loz lynette:lyn lynne:lyn madeleine:maddie,maddy margaret:marg marjorie:marj
melanie:mel michelle:mish,shell murray:muz,muzza natalie:nat neville:nev nicole:nic olivia:liv,livvy raelene:rae
rebecca:bec rosalind:ros,roz rosalyn:ros rosemary:ros,rosie sharon:shaz,shazza stewart:stu,stew tamara:tammy
terence:tez,tezza terry:tez,tezza trevor:trev warren:wazza,waz
"""
"""What Australians say and the dictionary lacks. Family names' nicknames (Robbo, Macca) are no given names."""

_OWN_NAMES = """
aaron aron erin adelaide heidi adele adeline adaline ada aline agnes inez albert adelbert elbert elbertson
alexander alexandra alexandria sandra cassandra alice alicia lisa elsie elizabeth elysia amelia emily emma amy
emeline emil parmelia amos moses andrea andrew anna ann anne annette hannah antoinette antonia nancy susan susannah
savannah joanna johanna johannah joan anselm selma august augustus augustine austin arlene darlene lena aileen
eileen elaine ellen ellender elena eleanor ella helen helene helena luella evaline catherine cathleen katherine
kathleen katarina casey madeline ashley leah beatrice trisha brady brody broderick brenda brandy brian bryant
bryanna carol caroline carolyn carolann kara lynn linda melinda malinda celinda philinda rosalinda rosalyn casper
jasper cecilia sheila celia celeste charles carl charlotte sherry shirley claire clara clarissa clarinda clement
clementine cora corinne cornelius neil courtney curt derrick eric frederick derick erick roderick erica ericka
erika frederica fredericka doris dora dorothy dorothea theodora dorinda eudora isadora edwin edwina eloise heloise
elouise louise louisa lois louis ernest earnest ernestine esther hester evangeline evan eva eve evelyn genevieve
felicia felix flora florence floyd lloyd gabriella gabrielle garrett barrett gary jerry george georgine georgia
georgiana gilbert wilber gretchen margaret daisy rita margarita margaretta margery megan greta hubert hugh jehu
ian john ivan johann johannes iva ivy jane jean janet jessie jeanette jeanne virginia joyce joy julia julie jill
june junior junius justin justina justus kendrick kenneth kent laura laurinda lawrence laurence laverne vernon leo
leon lionel napoleon lucia lucius maud matilda manoah noah maria mariah marie mary marietta marilyn marion maureen
marsha mercy may rosemary rosaenn rosaenna roseann roseanna roseanne roxanna roxanne demaris demerias mercedes
sadie sarah sally salvador micah michael miguel orlando roland patrick peter philipina phoebe raphael ralph
reginald reynold robert rupert sophia sophronia theresa tracy traci tracie thursa thirza theodosia theodosius
william wilma wilhelmina
"""
"""Names that parents give beside one another. The dictionary joins some (John and Ian, Susan and Hannah, Mary and
Marie), but one birthday and one family name with two of these is a pair of twins until shown otherwise."""

_NOT_FORMS = """
bill:robert,fred billy:robert,fred will:fred willie:fred bert:bob,bobby roger:bobby rodger:bobby carla:carly karla:carly
carrie:cassie carol:kari clare:clara clarence:clare,clair louise:eliza louisa:eliza danielle:ellie benjamin:jamie
cameron:ron,ronny frieda:fred,freddie,freddy gwen:wendy clifton:tony shelton:tony jacqueline:jack joseph:jody
josephine:jody joshua:joe,jos judith:jude jonathan:john,nathan jonathon:john johnathan:john,nathan johnathon:john
johannes:jonathan leonard:leon leonidas:leon,lee levi:lee elias:lee ashley:lee shirley:lee luther:luke lucias:luke
madeline:maggie,magda martha:patty,patsy,mat mathilda:patty patrick:patsy miranda:randy paul:polly rachel:shelly
roxanna:rose roxanne:rose rosa:rose roscoe:ross stephanie:annie chick:caroline,charlotte delores:lola lisa:liz
makayla:kayla sheridan:dan,danny westley:farmboy kate:kay
"""
"""Single entries of the dictionary that join different people, one of the two being a true short form elsewhere."""


@cache
def short_forms() -> Mapping[str, frozenset[str]]:
    """Return the dictionary: each given name with its short forms. Read once, at first use."""
    own_names, not_forms, more = set(_OWN_NAMES.split()), _pairs(_NOT_FORMS), _pairs(_MORE_SHORT_FORMS)
    public = {(name, form) for name, forms in NickNamer.default_lookup().items() for form in forms}
    kept = {
        (name, form)
        for name, form in public
        if not ({name, form} <= own_names or (name, form) in not_forms or (form, name) in not_forms)
    }
    dictionary: dict[str, set[str]] = {}
    for name, form in kept | more:
        dictionary.setdefault(name, set()).add(form)
    return {name: frozenset(forms) for name, forms in dictionary.items()}


def _pairs(text: str) -> set[tuple[str, str]]:
    return {
        (name, form) for name, _, forms in (line.partition(":") for line in text.split()) for form in forms.split(",")
    }
