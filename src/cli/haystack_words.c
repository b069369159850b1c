/* haystack_words.c - what the sentences of a haystack are made of. */
#include "cli/haystack_words.h"

const char ith_haystack_names[] =
    "Alice Albert Amelia Andrew Angela Anton Arthur Astrid Barbara Basil Beatrice Benjamin"
    " Bernard Bertha Boris Brenda Bruno Calvin Camilla Carlos Caroline Cecil Charlotte Chester"
    " Clara Claudia Clement Conrad Cora Cyril Daisy Daniel Daphne David Deborah Dennis Diana"
    " Dominic Donald Doris Dorothy Duncan Edgar Edith Edmund Edward Eleanor Elias Elizabeth"
    " Elsa Emily Emma Eric Ernest Esther Ethel Eugene Evelyn Felix Ferdinand Fiona Flora"
    " Florence Francis Frank Frederick Gabriel George Gerald Gertrude Gilbert Gloria Gordon"
    " Grace Greta Gustav Hannah Harold Harriet Harvey Hazel Hector Helen Henry Herbert Hilda"
    " Horace Howard Hubert Hugo Ida Ingrid Irene Isaac Isabel Ivan Jacob James Jane Jasper"
    " Jerome Joan Johanna Joseph Joyce Judith Julia Julius Karen Katherine Kenneth Kurt Laura"
    " Lawrence Leonard Leopold Lewis Lillian Linus Lionel Lorenz Louisa Lucas Lucy Lydia Mabel"
    " Magnus Malcolm Marcus Margaret Maria Marion Martha Martin Matilda Maurice Maxwell Michael"
    " Mildred Miriam Monica Morris Muriel Nathan Nicholas Nigel Nina Nora Norman Olive Oliver"
    " Oscar Oswald Otto Pamela Patrick Paula Percy Peter Philip Quentin Rachel Ralph Raymond"
    " Rebecca Richard Robert Roland Rosa Rupert Ruth Samuel Sarah Sebastian Sheila Sidney"
    " Sigrid Simon Sophia Stella Stephen Susan Sylvia Theodore Thomas Ulrich Ursula Valerie"
    " Vera Victor Vincent Viola Virginia Walter Wendy Wilfred Winifred Xavier Yvonne Zelda";

const ith_haystack_list ith_haystack_lists[] = {
    {"weather", "rain snow fog hail mist thunder frost sleet drizzle wind"},
    {"sky", "grey blue dark pale clear cloudy bright golden stormy red"},
    {"adj",
     "old new small large heavy quiet narrow wide broken clean dusty rusty wooden painted empty"
     " crowded famous little strange ancient lonely busy sturdy crooked"},
    {"feel",
     "tired happy hungry cheerful worried patient angry calm proud curious silent cold sleepy"
     " thirsty nervous content"},
    {"place",
     "harbour market quay lighthouse chapel mill inn warehouse bridge village castle square"
     " garden station library bakery school tower shipyard office courtyard orchard forge"
     " meadow river canal island valley forest"},
    {"person",
     "captain sailor merchant fisherman baker carpenter clerk farmer doctor teacher porter"
     " miller smith weaver painter cook guard pilot widow tailor shepherd gardener butcher"
     " traveller"},
    {"people",
     "sailors merchants fishermen bakers carpenters clerks farmers doctors teachers porters"
     " millers smiths weavers painters cooks guards pilots children tailors shepherds gardeners"
     " butchers travellers neighbours"},
    {"good",
     "wool salt timber copper tea coffee pepper cotton silk iron coal wheat barley honey butter"
     " cheese wine oil rope tar paper glass leather sugar rice flour fish cloth apples onions"
     " candles tobacco"},
    {"unit", "barrels crates sacks boxes bundles baskets casks bales jars carts"},
    {"ship", "schooner brig ferry barge steamer trawler cutter frigate tug canoe"},
    {"colour", "green yellow white black brown silver purple orange crimson scarlet"},
    {"animal", "dog cat horse goat gull crow donkey sheep goose fox owl seal heron rat"},
    {"thing",
     "lantern ladder anchor bell table chair window door barrel hammer kettle clock map letter"
     " blanket wheel mirror chest basket bucket compass flag"},
    {"verb", "carried cleaned painted repaired sold bought found lost moved measured borrowed hid"
             " washed counted noticed"},
    {"time", "morning evening afternoon night"},
    {"day", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"},
    {"month",
     "January February March April May June July August September October November December"},
    {"dir", "north south east west"},
    {"dist", "miles paces leagues yards fathoms steps"},
    {"where", "near behind beside beyond above below"},
    {"adv", "slowly quickly quietly carefully often rarely always never gladly again"},
    {"coin", "pounds shillings pennies crowns florins guineas"},
    {"price", "price cost weight value"},
    {"kind", "cabin ticket locker licence"},
    {NULL, NULL},
};

const char *const ith_haystack_sentences[] = {
    "The {weather} came from the {dir} in the {time}.",
    "The {weather} did not stop until {day} {time}.",
    "The sky over the {place} was {sky} all {time}.",
    "It was a {sky} {time} and the {people} stayed at home.",
    "In {month} the {weather} was worse than anyone could remember.",
    "The {ship} left the {place} with # {unit} of {good}.",
    "The {ship} came back from the {dir} after # days at sea.",
    "A {adj} {ship} was tied up {where} the {place}.",
    "The {colour} {ship} carried {good} and {good} for the {people}.",
    "The {person} sold # {unit} of {good} at the {place}.",
    "The {person} paid # {coin} for a {adj} {thing}.",
    "The {price} of the {good} was # {coin} on {day}.",
    "At the {place} the {people} bought {good}, {good} and {good}.",
    "From the {place} to the {place} it is # {dist}.",
    "The {place} lies # {dist} to the {dir} of the {place}.",
    "The road to the {place} is {adj} and {adj}.",
    "The {people} were {feel} because the {good} was late.",
    "The {person} was {feel} and went to the {place}.",
    "{Name} {verb} a {adj} {thing} {where} the {place}.",
    "{Name} counted # {unit} of {good} in the {time}.",
    "{Name} and {Name} met the {person} at the {place}.",
    "On {day} {Name} walked # {dist} to the {place}.",
    "The {person} wrote a letter to {Name} about the {good}.",
    "The {animal} of {Name} slept {where} the {thing}.",
    "A {animal} sat {where} the {place} and looked {feel}.",
    "The {colour} {animal} ran {adv} to the {place}.",
    "Every {time} the {person} {adv} {verb} the {adj} {thing}.",
    "Nobody knew why the {person} {verb} the {colour} {thing}.",
    "There were # {people} at the {place} in {month}.",
    "The {people} talked about the {weather} and the {price} of {good}.",
    "The {thing} in the {place} is {adj} and {colour}.",
    "The {person} {adv} {verb} the {thing} before {time}.",
    "House number # {where} the {place} is {colour}.",
    "In the year # the {place} was {adj}.",
    "The {people} of the {place} like {good} and {good}.",
    "The {thing} weighs # pounds and the {thing} weighs #.",
    "Two {people} waited {where} the {place} until {time}.",
    "The {person} said that the {good} was {colour} and {adj}.",
    "A {person} with a {colour} {thing} asked the way to the {place}.",
    "The tide was {adj} and the water was {colour} at {time}.",
    "After {time} the {people} {adv} went {dir}.",
    "No {ship} had more than # {unit} of {good} that {month}.",
    "{Name} lives # {dist} {dir} of the {place}.",
    "The {person} gave {Name} # {coin} and a {thing}.",
    NULL,
};
